//! The report: one model, computed once from a recording and its judgement, and its printers.
//!
//! [`model`] is the data; [`text`] prints it for a terminal, [`html`] as one page, [`junit`] for
//! CI. Nothing here judges, and nothing here touches a world or a file.

pub mod bands;
pub mod course;
pub mod divergence;
pub mod drawn;
pub mod elections;
pub mod evidence;
pub mod film;
pub mod html;
pub mod junit;
pub mod lanes;
pub mod ledger;
pub mod load;
pub mod model;
pub mod outage;
pub mod ownership;
pub mod replay;
pub mod spacetime;
pub mod text;
pub mod words;

pub use evidence::Evidence;
pub use model::{About, Model};
