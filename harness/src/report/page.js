"use strict";
// Draws the film: panels of SVG over one axis of time. Zoom by dragging, reset by double click,
// move by a link to #t=FROM-TO (seconds). No library, no network.
(function () {
  const film = JSON.parse(document.getElementById("film-data").textContent);
  const box = document.getElementById("film");
  const tip = document.getElementById("tip");
  const TICKS = 10000; // per second
  const LEFT = 132, RIGHT = 14;
  const NODE_COLOURS = ["#0072b2", "#d55e00", "#009e73", "#b5518f", "#e69f00", "#56b4e9",
    "#7a6a00", "#6a4c93", "#8c564b", "#3b8686"];
  const whole = [0, Math.max(film.end, 1) / TICKS];
  let view = whole.slice();
  let width = 1000, height = 0, y = 0, parts = [], spots = [];

  const colour = (node) => NODE_COLOURS[node % NODE_COLOURS.length];
  const name = (node) => (film.nodes[node] ? film.nodes[node].name : "an unknown node");
  const names = (nodes) => nodes.map(name).join(", ");
  const sec = (tick) => tick / TICKS;
  const say = (tick) => sec(tick).toFixed(3) + " s";
  const X = (s) => LEFT + (s - view[0]) / (view[1] - view[0]) * (width - LEFT - RIGHT);
  const esc = (text) => String(text).replace(/[&<>"]/g, (c) =>
    ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
  const put = (markup) => parts.push(markup);
  const fit = (v) => Math.round(v * 10) / 10;

  // A stretch of time as pixels, cut to the view; null when it is outside.
  function span(from, to) {
    const a = sec(from), b = sec(to);
    if (b < view[0] || a > view[1]) return null;
    const x0 = X(Math.max(a, view[0])), x1 = X(Math.min(b, view[1]));
    return { x: fit(x0), w: fit(Math.max(x1 - x0, 1.2)) };
  }
  function spot(s, top, h, text) { spots.push({ x0: s.x, x1: s.x + s.w, y0: top, y1: top + h, text }); }
  function rect(s, top, h, attributes) {
    put(`<rect x="${s.x}" y="${fit(top)}" width="${s.w}" height="${fit(h)}" ${attributes}/>`);
  }
  function text(x, at, words, attributes) {
    put(`<text x="${fit(x)}" y="${fit(at)}" ${attributes || ""}>${esc(words)}</text>`);
  }
  function title(words, unit) {
    y += 22;
    text(4, y, words, 'class="title"');
    if (unit) text(LEFT, y, unit, 'class="soft"');
    y += 7;
  }
  function row(label) { text(LEFT - 8, y + 12, label, 'text-anchor="end"'); }

  function steps() {
    const rough = (view[1] - view[0]) / Math.max(4, (width - LEFT) / 110);
    const power = Math.pow(10, Math.floor(Math.log10(rough)));
    const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= rough);
    const list = [];
    for (let s = Math.ceil(view[0] / step) * step; s <= view[1] + 1e-9; s += step) list.push(s);
    return { list, digits: Math.max(0, -Math.floor(Math.log10(step))) };
  }
  function axis() {
    const marks = steps();
    y += 14;
    for (const s of marks.list) {
      text(X(s), y, s.toFixed(marks.digits) + " s", 'text-anchor="middle" class="soft"');
    }
    y += 4;
  }
  function grid(top, bottom) {
    for (const s of steps().list) {
      const x = fit(X(s));
      put(`<path class="grid" d="M${x} ${top}V${bottom}"/>`);
    }
  }

  const FAULTS = ["kill", "pause", "partition", "failover"];
  function faults() {
    const kinds = FAULTS.filter((kind) => film.bands.some((band) => band.kind === kind));
    title("Faults", kinds.length ? "" : "none");
    for (const kind of kinds) {
      row(kind);
      for (const band of film.bands.filter((one) => one.kind === kind)) {
        const s = span(band.from, band.to);
        if (!s) continue;
        const sure = band.certainty === "installed";
        const paint = `var(--${kind})`;
        if (band.from === band.to) {
          put(`<path d="M${s.x} ${y + 1}l5 7l-5 7l-5 -7z" fill="${sure ? paint : "none"}" stroke="${paint}"/>`);
          s.x -= 5; s.w = 10;
        } else {
          rect(s, y + 2, 12, sure ? `fill="${paint}"` :
            `fill="none" stroke="${paint}" stroke-dasharray="3 2"`);
        }
        const room = Math.floor((s.w - 8) / 7);
        if (sure && room > 6) {
          text(s.x + 4, y + 12, band.note.length > room ? band.note.slice(0, room - 1) + "…" :
            band.note, 'class="on"');
        }
        const until = band.from === band.to ? "" : " to " + say(band.to);
        spot(s, y, 16, `${kind}: ${band.note}\n${say(band.from)}${until}\n` +
          band.certainty + (band.why ? ": " + band.why : ""));
      }
      y += 17;
    }
  }
  function bands(top, bottom) {
    for (const band of film.bands) {
      if (band.certainty === "skipped") continue;
      const s = span(band.from, band.to);
      if (s) rect(s, top, bottom - top, `class="band" fill="var(--${band.kind})"`);
    }
  }

  const OUTCOMES = [["ok", "var(--ok)"], ["fail", "var(--fail)"], ["unknown", "var(--info)"]];
  function latency() {
    const p = film.points;
    title("Latency", "log scale; one mark an operation, at its invocation" +
      (p.operations > p.time.length ? ` (${p.time.length} of ${p.operations} drawn)` : ""));
    const h = 170, top = y;
    let low = Infinity, high = 1;
    for (const l of p.latency_us) { low = Math.min(low, Math.max(l, 1)); high = Math.max(high, l); }
    if (low > high) low = 1;
    const lo = Math.floor(Math.log10(low)), hi = Math.max(Math.ceil(Math.log10(high)), lo + 1);
    const Y = (us) => top + h - (Math.log10(Math.max(us, 1)) - lo) / (hi - lo) * h;
    bands(top, top + h);
    grid(top, top + h);
    for (let e = lo; e <= hi; e++) {
      const at = fit(Y(Math.pow(10, e)));
      put(`<path class="grid" d="M${LEFT} ${at}H${width - RIGHT}"/>`);
      text(LEFT - 8, at + 4, e >= 6 ? Math.pow(10, e - 6) + " s" : e >= 3 ?
        Math.pow(10, e - 3) + " ms" : Math.pow(10, e) + " µs", 'text-anchor="end"');
    }
    // Marks differ by shape as well as by colour: dot, cross, ring.
    const shape = [(x, v) => `M${x} ${v}h0`, (x, v) => `M${x - 2.5} ${v - 2.5}l5 5m0 -5l-5 5`,
      (x, v) => `M${x - 3} ${v}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0`];
    const paths = ["", "", ""];
    p.time.forEach((tick, i) => {
      const s = sec(tick);
      if (s < view[0] || s > view[1]) return;
      paths[p.outcome[i]] += shape[p.outcome[i]](fit(X(s)), fit(Y(p.latency_us[i])));
    });
    const stroke = [2.6, 1.4, 1.4], opacity = [0.55, 1, 1];
    OUTCOMES.forEach(([, paint], k) => put(`<path class="dots" d="${paths[k]}" stroke="${paint}" ` +
      `stroke-width="${stroke[k]}" stroke-opacity="${opacity[k]}"/>`));
    latencyAt = (mouse, at) => {
      if (at < top || at > top + h) return null;
      let best = null, distance = 64;
      p.time.forEach((tick, i) => {
        const dx = X(sec(tick)) - mouse, dy = Y(p.latency_us[i]) - at, d = dx * dx + dy * dy;
        if (d < distance) { distance = d; best = i; }
      });
      return best === null ? null : `operation ${p.index[best]}: ${OUTCOMES[p.outcome[best]][0]}\n` +
        `invoked ${say(p.time[best])}, took ${(p.latency_us[best] / 1000).toFixed(2)} ms`;
    };
    y += h;
  }
  let latencyAt = () => null;

  function throughput() {
    const t = film.throughput, h = 80;
    title("Throughput", "completions per second, stacked");
    const top = y, perSecond = TICKS / t.width;
    const sums = t.ok.map((ok, i) => (ok + t.fail[i] + t.info[i]) * perSecond);
    const high = Math.max(1, ...sums);
    bands(top, top + h);
    grid(top, top + h);
    text(LEFT - 8, top + 9, Math.round(high) + " /s", 'text-anchor="end"');
    text(LEFT - 8, top + h, "0", 'text-anchor="end"');
    t.ok.forEach((ok, i) => {
      const s = span(i * t.width, (i + 1) * t.width);
      if (!s) return;
      let base = top + h;
      [ok, t.fail[i], t.info[i]].forEach((count, k) => {
        const tall = count * perSecond / high * h;
        if (tall > 0) rect(s, base - tall, tall, `fill="${OUTCOMES[k][1]}"`);
        base -= tall;
      });
      spot(s, top, h, `${say(i * t.width)}: per second ${Math.round(ok * perSecond)} ok, ` +
        `${Math.round(t.fail[i] * perSecond)} failed, ${Math.round(t.info[i] * perSecond)} unknown`);
    });
    y += h;
  }

  function lanes() {
    title("Nodes", "filled: master; striped: replica, in its master's colour; the number is the config epoch");
    film.nodes.forEach((node, n) => {
      const h = 20;
      row(node.name);
      for (const stance of node.stances) {
        const s = span(stance.from, stance.to);
        if (!s) continue;
        const isMaster = stance.master === -1;
        const paint = isMaster ? `fill="${colour(n)}"` :
          stance.master >= 0 ? `fill="url(#stripe${stance.master % 10})"` : 'fill="var(--line)"';
        rect(s, y + 2, h - 6, paint + (isMaster && !stance.slots ? ' fill-opacity="0.35"' : ""));
        if (isMaster && s.w > 26) text(s.x + 4, y + 13, "e" + stance.epoch, 'class="on"');
        spot(s, y, h, `${node.name} (${node.server}): ` + (isMaster ? "master of " +
          (stance.slots || "no slots") : "replica of " + (stance.master >= 0 ?
          name(stance.master) : "an unknown node")) +
          `, config epoch ${stance.epoch}\n${say(stance.from)} to ${say(stance.to)}`);
      }
      for (const outage of node.outages) {
        const s = span(outage.from, outage.to);
        if (!s) continue;
        const look = { killed: 'fill="var(--card)" stroke="var(--kill)" stroke-width="1.5"',
          died: 'fill="var(--violated)"', paused: 'fill="url(#paused)" stroke="var(--pause)"',
          cut: 'fill="none" stroke="var(--partition)" stroke-width="2" stroke-dasharray="5 3"' };
        rect(s, y + (outage.state === "cut" ? 1 : 2), h - (outage.state === "cut" ? 4 : 6),
          look[outage.state]);
        if (outage.state !== "cut" && s.w > 44) {
          text(s.x + 5, y + 13, outage.state, outage.state === "died" ? 'class="on"' : "");
        }
        spot(s, y, h, `${node.name} ${outage.state} ${say(outage.from)} to ${say(outage.to)}`);
      }
      y += h;
    });
  }

  function slots() {
    title("Slots", "who claims them, by the highest config epoch; hatched: claimed by somebody else as well");
    const h = 170, top = y, Y = (slot) => top + slot / 16384 * h;
    for (const slot of [0, 4096, 8192, 12288, 16384]) {
      text(LEFT - 8, Y(slot) + 4, slot, 'text-anchor="end"');
    }
    rect({ x: LEFT, w: width - LEFT - RIGHT }, top, h, 'class="grid"');
    for (const cell of film.cells) {
      const s = span(cell.from, cell.to);
      if (!s) continue;
      const [owner, epoch] = cell.claims[0], at = Y(cell.first), tall = Y(cell.last + 1) - at;
      rect(s, at, tall, `fill="${colour(owner)}" stroke="var(--card)" stroke-width="0.6"`);
      const conflict = cell.claims.length > 1 && cell.claims[1][1] === epoch;
      if (cell.claims.length > 1) {
        rect(s, at, tall, `fill="url(#${conflict ? "conflict" : "hatch" + cell.claims[1][0] % 10})"`);
      }
      if (s.w > 62 && tall > 13) text(s.x + 6, at + tall / 2 + 4, `${name(owner)} e${epoch}`, 'class="on"');
      spot(s, at, tall, `slots ${cell.first}-${cell.last}\n` + cell.claims.map(([node, e]) =>
        `${name(node)} by epoch ${e}`).join("\n") + (conflict ? "\ntwo owners by one epoch" : "") +
        `\n${say(cell.from)} to ${say(cell.to)}`);
    }
    y += h;
  }

  function elections() {
    title("Elections", film.elections.length || film.declarations.length ?
      "▽ declared FAIL   ? asks for votes   | a vote   ★ claims the slots" : "none seen on the bus");
    film.nodes.forEach((node, n) => {
      const own = film.elections.filter((one) => one.candidate === n);
      const fallen = film.declarations.filter((one) => one.failed === n);
      if (!own.length && !fallen.length) return;
      const h = 22, top = y;
      row(node.name);
      put(`<path class="grid" d="M${LEFT} ${y + 11}H${width - RIGHT}"/>`);
      for (const one of fallen) {
        const s = span(one.at, one.at);
        if (!s) continue;
        put(`<path d="M${s.x - 5} ${y + 6}h10l-5 9z" fill="var(--fail)"/>`);
        spot({ x: s.x - 5, w: 10 }, top, h, `${name(one.by)} declares ${node.name} failed, ${say(one.at)}`);
      }
      for (const one of own) {
        const last = one.votes.reduce((t, v) => Math.max(t, v[1]), one.promoted || one.asked);
        const s = span(one.asked, last);
        if (!s) continue;
        rect(s, y + 9, 4, `fill="${colour(n)}"`);
        text(s.x - 2, y + 15, "?", 'text-anchor="end" class="title"');
        for (const [voter, at] of one.votes) {
          const v = span(at, at);
          if (v) rect({ x: v.x - 1, w: 2.2 }, y + 4, 14, `fill="${colour(voter)}"`);
        }
        if (one.promoted !== null) {
          const p = span(one.promoted, one.promoted);
          if (p) text(p.x + 1, y + 16, `★ e${one.epoch}`, 'class="title"');
        }
        spot({ x: s.x - 10, w: s.w + 46 }, top, h, `${node.name} asks for epoch ${one.epoch}` +
          (one.forced ? " (manual failover)" : "") + ` at ${say(one.asked)}\n` +
          (one.votes.length ? "votes: " + one.votes.map(([v, t]) => `${name(v)} ${say(t)}`).join(", ") :
            "no votes") + "\n" + (one.promoted === null ? "not promoted" : "promoted " + say(one.promoted)));
      }
      y += h;
    });
  }

  function views() {
    if (!film.divergences.length) return;
    title("Views", "when the nodes differed about who owns which slots");
    row("differ");
    for (const one of film.divergences) {
      const s = span(one.from, one.to);
      if (!s) continue;
      rect(s, y + 2, 12, 'fill="var(--known)"');
      spot(s, y, 16, `${say(one.from)} to ${say(one.to)}\n` +
        one.camps.map(([nodes, belief]) => `${names(nodes)}: ${belief}`).join("\n"));
    }
    y += 18;
  }

  function patterns() {
    const all = NODE_COLOURS.map((paint, i) =>
      `<pattern id="stripe${i}" width="6" height="6" patternUnits="userSpaceOnUse">` +
      `<rect width="6" height="6" fill="${paint}" fill-opacity="0.25"/>` +
      `<path d="M0 1.5H6" stroke="${paint}" stroke-width="2"/></pattern>` +
      `<pattern id="hatch${i}" width="9" height="9" patternUnits="userSpaceOnUse" ` +
      `patternTransform="rotate(45)"><path d="M2 0V9" stroke="${paint}" stroke-width="4"/></pattern>`);
    return `<defs>${all.join("")}<pattern id="paused" width="7" height="7" ` +
      `patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="7" height="7" ` +
      `fill="var(--card)" fill-opacity="0.8"/><path d="M2 0V7" stroke="var(--pause)" stroke-width="2"/>` +
      `</pattern><pattern id="conflict" width="10" height="10" patternUnits="userSpaceOnUse" ` +
      `patternTransform="rotate(45)"><path d="M2 0V10" stroke="#b00020" stroke-width="5"/></pattern></defs>`;
  }

  function draw() {
    width = Math.max(640, box.clientWidth - 12);
    parts = []; spots = []; y = 0;
    axis();
    [faults, latency, throughput, lanes, slots, elections, views].forEach((panel) => panel());
    axis();
    height = y + 6;
    if (film.healed !== null) {
      const s = span(film.healed, film.healed);
      if (s) {
        put(`<path d="M${s.x} 18V${height - 20}" stroke="var(--held)" stroke-dasharray="4 3"/>`);
        text(s.x + 4, 30, "healed", 'class="soft"');
      }
    }
    const old = box.querySelector("svg");
    if (old) old.remove();
    box.insertAdjacentHTML("afterbegin", `<svg viewBox="0 0 ${width} ${height}" role="img" ` +
      `aria-label="faults, latency, throughput, nodes, slots and elections over time">${patterns()}` +
      `${parts.join("")}<path id="hair" stroke="var(--soft)" stroke-width="0.7"/>` +
      `<rect id="drag" y="0" height="${height}" width="0" fill="var(--ok)" fill-opacity="0.15"/></svg>`);
    document.getElementById("range").textContent =
      `${view[0].toFixed(3)} s to ${view[1].toFixed(3)} s`;
  }

  function zoom(from, to) {
    const least = 0.002;
    if (!(to - from >= least)) return;
    view = [Math.max(whole[0], from), Math.min(whole[1], to)];
    if (view[1] - view[0] < least) view = whole.slice();
    draw();
  }
  function point(event) {
    const frame = box.querySelector("svg").getBoundingClientRect(), scale = width / frame.width;
    return { x: (event.clientX - frame.left) * scale, y: (event.clientY - frame.top) * scale };
  }
  const toSeconds = (x) => view[0] + (x - LEFT) / (width - LEFT - RIGHT) * (view[1] - view[0]);
  let pressed = null;
  box.addEventListener("mousedown", (event) => { pressed = point(event).x; event.preventDefault(); });
  box.addEventListener("mouseleave", () => { tip.style.display = "none"; });
  box.addEventListener("mousemove", (event) => {
    const at = point(event), drag = document.getElementById("drag");
    document.getElementById("hair").setAttribute("d", at.x > LEFT ? `M${fit(at.x)} 0V${height}` : "");
    if (pressed !== null) {
      drag.setAttribute("x", Math.min(pressed, at.x));
      drag.setAttribute("width", Math.abs(at.x - pressed));
    }
    const hit = spots.filter((one) => at.x >= one.x0 - 1 && at.x <= one.x1 + 1 &&
      at.y >= one.y0 && at.y <= one.y1).pop();
    const words = latencyAt(at.x, at.y) || (hit ? hit.text : null);
    tip.style.display = words ? "block" : "none";
    if (!words) return;
    tip.textContent = words;
    const left = event.clientX - box.getBoundingClientRect().left;
    tip.style.left = Math.min(left + 14, Math.max(0, box.clientWidth - 390)) + "px";
    tip.style.top = event.clientY - box.getBoundingClientRect().top + 16 + "px";
  });
  window.addEventListener("mouseup", (event) => {
    if (pressed === null) return;
    const from = toSeconds(pressed), to = toSeconds(point(event).x);
    const moved = Math.abs(point(event).x - pressed) > 4;
    pressed = null;
    if (moved) zoom(Math.min(from, to), Math.max(from, to)); else draw();
  });
  box.addEventListener("dblclick", () => { view = whole.slice(); draw(); });
  document.getElementById("all").addEventListener("click", () => { view = whole.slice(); draw(); });
  function follow() {
    const wanted = /^#t=([0-9.]+)-([0-9.]+)$/.exec(location.hash);
    if (!wanted) return;
    zoom(Number(wanted[1]), Number(wanted[2]));
    box.scrollIntoView();
  }
  window.addEventListener("hashchange", follow);
  window.addEventListener("resize", draw);
  draw();
  follow();
  document.documentElement.dataset.rendered = "ok";
})();
