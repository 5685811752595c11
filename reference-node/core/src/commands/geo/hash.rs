//! Geohashes: longitude and latitude, 26 bits each, interleaved.

/// A place on earth, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

impl Place {
    /// None where the projection has no such place.
    pub fn new(longitude: f64, latitude: f64) -> Option<Place> {
        let is_there = longitude.abs() <= LONGITUDE_MAX && latitude.abs() <= LATITUDE_MAX;
        is_there.then_some(Place {
            longitude,
            latitude,
        })
    }

    /// Its geohash: latitude in the even bits, longitude in the odd ones.
    pub fn score(self) -> u64 {
        self.interleaved(LATITUDE_MAX)
    }

    /// The middle of the cell of a geohash.
    pub fn of_score(score: f64) -> Place {
        let bits = score as u64;
        let middle = |shift: u32, max: f64| {
            let number = (0..BITS).fold(0_u32, |number, bit| {
                number | ((bits >> (2 * bit + shift)) as u32 & 1) << bit
            });
            let scale = f64::from(1_u32 << BITS);
            let from = -max + f64::from(number) / scale * (max * 2.0);
            let to = -max + f64::from(number + 1) / scale * (max * 2.0);
            ((from + to) / 2.0).clamp(-max, max)
        };
        Place {
            longitude: middle(1, LONGITUDE_MAX),
            latitude: middle(0, LATITUDE_MAX),
        }
    }

    /// Distance on the sphere, in metres.
    pub fn distance_m(self, other: Place) -> f64 {
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let east = other.longitude.to_radians() - self.longitude.to_radians();
        let v = (east / 2.0).sin();
        if v == 0.0 {
            return self.latitude_distance_m(other);
        }
        let u = ((to - from) / 2.0).sin();
        let a = u * u + from.cos() * to.cos() * v * v;
        2.0 * EARTH_RADIUS_M * a.sqrt().asin()
    }

    /// Distance of the latitudes alone, in metres.
    pub fn latitude_distance_m(self, other: Place) -> f64 {
        EARTH_RADIUS_M * (other.latitude.to_radians() - self.latitude.to_radians()).abs()
    }

    /// Eleven letters of the usual geohash, the last always zero.
    pub fn geohash(self) -> String {
        let bits = self.interleaved(90.0);
        let letter = |place: u32| match place {
            10 => '0',
            _ => char::from(ALPHABET[(bits >> (52 - (place + 1) * 5)) as usize & 0x1f]),
        };
        (0..11).map(letter).collect()
    }

    fn interleaved(self, latitude_max: f64) -> u64 {
        let fixed = |number: f64, max: f64| {
            let share = (number + max) / (max * 2.0);
            (share * f64::from(1_u32 << BITS)) as u32
        };
        let longitude = fixed(self.longitude, LONGITUDE_MAX);
        let latitude = fixed(self.latitude, latitude_max);
        (0..32).fold(0, |bits, bit| {
            let pair = u64::from(latitude >> bit & 1) | u64::from(longitude >> bit & 1) << 1;
            bits | pair << (2 * bit)
        })
    }
}

const BITS: u32 = 26;
const LONGITUDE_MAX: f64 = 180.0;
const LATITUDE_MAX: f64 = 85.051_128_78;
const EARTH_RADIUS_M: f64 = 6_372_797.560_856;
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_documented_hashes_and_distances() {
        let place = |longitude, latitude| Place::new(longitude, latitude).expect("on earth");
        let palermo = Place::of_score(place(13.361389, 38.115556).score() as f64);
        let catania = Place::of_score(place(15.087269, 37.502669).score() as f64);
        assert_eq!(palermo.geohash(), "sqc8b49rny0");
        assert_eq!(catania.geohash(), "sqdtr74hyu0");
        assert_eq!(format!("{:.4}", palermo.distance_m(catania)), "166274.1516");
        assert_eq!(Place::new(0.0, 86.0), None);
    }
}
