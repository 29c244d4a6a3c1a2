// The real scatter hidden among those of chance alone: LineUp. The object behind it is course_lib.maths.lineup.Parade.
// Python deals the points and keeps the score; the browser draws them, and shows at once what a pick has hit.

const LINEUP_HINT = 'Panels: arrows move, Enter picks. N next round, G give up, L lines, R reset; on a slider the arrows and Page keys';
const GROW = 400;  // milliseconds in which the lines come

// ---- A cloud of points

/** One point as a small picture: to stamp it a thousand times is quicker than to fill a thousand circles. */
function dot(radius, colour, alpha, scale) {
  const size = Math.ceil(2*(radius + 1)*scale), canvas = el('canvas', {width: size, height: size}), ctx = canvas.getContext('2d');
  ctx.globalAlpha = alpha;
  ctx.fillStyle = colour;
  ctx.beginPath(); ctx.arc(size/2, size/2, radius*scale, 0, 7); ctx.fill();
  return canvas;
}

/** A canvas with points (shares of its width and height) and a line that can grow out of its middle. */
class Cloud {
  constructor() {
    this.canvas = el('canvas', {class: 'cw-lineup-cloud', 'aria-hidden': 'true'});
    this.points = el('canvas');  // the points alone, so that a line may move over them
  }
  /** As many pixels as the screen has; false where there is no room yet. */
  fit(scale) {
    const w = Math.round(this.canvas.clientWidth*scale), h = Math.round(this.canvas.clientHeight*scale);
    this.scale = scale;
    if (!w || !h) return false;
    for (const c of [this.canvas, this.points]) Object.assign(c, {width: w, height: h});
    return true;
  }
  /** Stamp the points: `x`, `y` shares of the axes. */
  stamp(x, y, colour) {
    const {width: w, height: h} = this.points, ctx = this.points.getContext('2d'), n = x.length;
    const size = Math.min(1.4, w/this.scale/120), radius = size*(n < 40 ? 2.4 : n < 150 ? 2 : n < 500 ? 1.5 : 1.1);
    const alpha = n < 150 ? .8 : n < 500 ? .6 : .4, stamp = dot(radius, colour, alpha, this.scale), half = stamp.width/2;
    ctx.clearRect(0, 0, w, h);
    for (let i = 0; i < n; i++) ctx.drawImage(stamp, x[i]*w - half, (1 - y[i])*h - half);
  }
  /** The points, and `part` of a line [x0, y0, x1, y1] in shares of the axes. */
  show(line, part, colour) {
    const {width: w, height: h} = this.canvas, ctx = this.canvas.getContext('2d');
    ctx.clearRect(0, 0, w, h);
    if (!w || !h) return;
    ctx.drawImage(this.points, 0, 0);
    if (!part) return;
    const [a, b, c, d] = line, mx = (a + c)/2, my = (b + d)/2, X = v => (mx + part*(v - mx))*w, Y = v => (1 - my - part*(v - my))*h;
    ctx.strokeStyle = colour; ctx.lineWidth = 2.2*this.scale; ctx.lineCap = 'round';
    ctx.beginPath(); ctx.moveTo(X(a), Y(b)); ctx.lineTo(X(c), Y(d)); ctx.stroke();
  }
}

/** The least-squares line through points, from the leftmost to the rightmost. */
function lineThrough(x, y) {
  let mx = 0, my = 0, xx = 0, xy = 0, lo = Infinity, hi = -Infinity;
  for (let i = 0; i < x.length; i++) { mx += x[i]; my += y[i]; lo = Math.min(lo, x[i]); hi = Math.max(hi, x[i]); }
  mx /= x.length; my /= x.length;
  for (let i = 0; i < x.length; i++) { xx += (x[i] - mx)**2; xy += (x[i] - mx)*(y[i] - my); }
  const b = xy/xx;
  return [lo, my + b*(lo - mx), hi, my + b*(hi - mx)];
}

// ---- The panels

/**
 * Panels as buttons in a grid. One of them can be reached by Tab, the others from there by the arrow keys.
 * `onpick(i)` hears which was pressed.
 */
class PanelGrid {
  constructor(count, onpick) {
    Object.assign(this, {at: 0, onpick, part: 0, lines: []});
    this.panels = Array.from({length: count}, (_, i) => this.makePanel(i));
    this.node = el('div', {class: 'cw-lineup-grid', role: 'group', 'aria-label': `${count} panels`,
      style: `--across:${Math.min(5, Math.ceil(Math.sqrt(count)))}`}, ...this.panels.map(p => p.node));
    this.node.addEventListener('keydown', e => this.key(e));
    this.watch = new ResizeObserver(() => this.again());
    this.watch.observe(this.node);
    this.move(0, false);
  }
  makePanel(i) {
    const cloud = new Cloud(), name = el('span', {class: 'cw-lineup-name'}, `${i + 1}`), slope = el('span', {class: 'cw-lineup-slope'});
    const node = el('button', {type: 'button', class: 'cw-lineup-panel', 'aria-label': `panel ${i + 1}`, tabindex: '-1',
      onclick: () => this.onpick(i), onfocus: () => this.move(i, false)},
      cloud.canvas, el('span', {class: 'cw-lineup-caption', 'aria-hidden': 'true'}, name, slope));
    return {cloud, name, slope, node};
  }
  /** The panel that Tab leads to. */
  move(i, focus = true) {
    this.panels[this.at].node.tabIndex = -1;
    this.at = Math.max(0, Math.min(i, this.panels.length - 1));
    this.panels[this.at].node.tabIndex = 0;
    if (focus) this.panels[this.at].node.focus();
  }
  key(e) {
    const across = getComputedStyle(this.node).gridTemplateColumns.split(' ').length, last = this.panels.length - 1;
    const to = {ArrowRight: this.at + 1, ArrowLeft: this.at - 1, ArrowDown: this.at + across, ArrowUp: this.at - across, Home: 0, End: last}[e.key];
    if (to === undefined || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    if (to >= 0 && to <= last) this.move(to);
  }
  /** New points: Python's uint16, x of all panels and then y. */
  deal(view) {
    const all = new Uint16Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
    const count = this.panels.length, n = all.length/2/count, cut = k => Float32Array.from(all.subarray(k*n, (k + 1)*n), v => v/65535);
    this.data = this.panels.map((_, i) => [cut(i), cut(count + i)]);
    this.lines = this.data.map(([x, y]) => lineThrough(x, y));
    this.again();
  }
  /** Draw all anew: other points, another size or other colours. */
  again(colours = this.colours) {
    this.colours = colours;
    if (!this.data || !colours) return;
    const scale = Math.max(1, devicePixelRatio || 1);
    this.panels.forEach(({cloud}, i) => { if (cloud.fit(scale)) cloud.stamp(...this.data[i], colours.data); });
    this.paint();
  }
  paint() { this.panels.forEach(({cloud}, i) => cloud.show(this.lines[i], this.part, this.colours.curve)); }
  /** Lines on or off; they grow if there is motion. */
  draw(on, grow = true) {
    if (on === this.on) return;
    this.on = on;
    cancelAnimationFrame(this.asked);
    if (!on || !grow || reducedMotion()) { this.part = on ? 1 : 0; if (this.colours) this.paint(); return; }
    const from = performance.now(), tick = now => {
      const t = Math.max(0, Math.min(1, (now - from)/GROW));
      this.part = 1 - (1 - t)**3;
      this.paint();
      if (t < 1) this.asked = requestAnimationFrame(tick);
    };
    this.asked = requestAnimationFrame(tick);
  }
  /** Names, slopes and frames: nothing but numbers before the round is over. */
  label({over, real, picked, slopes}) {
    this.panels.forEach(({node, name, slope}, i) => {
      const isReal = over && i + 1 === real, mine = over && i + 1 === picked;
      node.classList.toggle('cw-lineup-real', isReal);
      node.classList.toggle('cw-lineup-mine', mine);
      setText(name, `${i + 1}${mine ? (isReal ? ' ✓' : ' ✗') : isReal ? ' real' : ''}`);
      setText(slope, over ? slopes[i] : '');
      const parts = over ? [`slope ${slopes[i]}`, isReal ? 'the real data' : 'chance', mine ? 'your pick' : ''] : [];
      node.setAttribute('aria-label', [`panel ${i + 1}`, ...parts.filter(Boolean)].join(', '));
    });
    this.node.classList.toggle('cw-lineup-over', over);
  }
  close() { this.watch.disconnect(); cancelAnimationFrame(this.asked); }
}

// ---- An example of what is looked for

/** Normal numbers, the same each time (Box and Muller; mulberry32). */
function normals(count, seed) {
  const random = () => {
    seed = seed + 0x6D2B79F5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0)/4294967296;
  };
  return Float64Array.from({length: count}, () => Math.sqrt(-2*Math.log(1 - random()))*Math.cos(2*Math.PI*random()));
}

/** Points with exactly the relation that the sliders say. They follow at once, and are no part of the round. */
class Example {
  constructor() {
    this.cloud = new Cloud();
    this.cloud.canvas.classList.add('cw-lineup-example');
    this.u = normals(3000, 7); this.v = normals(3000, 8);
    this.node = el('figure', {class: 'cw-lineup-figure'}, this.cloud.canvas, this.words = el('figcaption', {class: 'cw-note'}));
    this.watch = new ResizeObserver(() => this.again());
    this.watch.observe(this.node);
  }
  set({n, slope, noise}, sdX, colours) { Object.assign(this, {n, slope, noise, sdX, colours}); this.again(); }
  again() {
    if (!this.colours || !(this.n > 2)) return;
    const [x, y] = this.made(), line = lineThrough(x, y);
    setText(this.words, `An example: ${this.n.toLocaleString('en')} points with a slope of exactly ${fmt(this.slope, 3)}`);
    if (!this.cloud.fit(Math.max(1, devicePixelRatio || 1))) return;
    this.cloud.stamp(x, y, this.colours.data);
    this.cloud.show(line, 1, this.colours.curve);
  }
  /** Noise that has nothing to do with x, plus the line, as shares of axes that are wide enough for n of them. */
  made() {
    const n = Math.min(this.n, this.u.length), u = this.u.subarray(0, n), v = this.v.subarray(0, n), [lo, at, hi, to] = lineThrough(u, v);
    const b = (to - at)/(hi - lo), mean = u.reduce((s, w) => s + w, 0)/n, mid = at + b*(mean - lo), sd = Math.hypot(this.slope*this.sdX, this.noise);
    const bare = v.map((w, i) => w - mid - b*(u[i] - mean)), size = Math.sqrt(bare.reduce((s, w) => s + w*w, 0)/(n - 2));
    const left = bare.map(w => w/size), share = w => .5 + w/(5.6 + .7*Math.log10(n));
    return [Float64Array.from(u, w => share(w - mean)), left.map((w, i) => share((this.slope*this.sdX*(u[i] - mean) + this.noise*w)/sd))];
  }
  close() { this.watch.disconnect(); }
}

// ---- The view

const together = words => words.replaceAll(' %', '\u00a0%');  // no line begins with a percent sign
const MOST_SETTINGS = 6;  // lines of the table

class LineUpView {
  constructor({model, el: holder}) {
    Object.assign(this, {model, mine: null, trying: null});
    this.root = makeRoot({model, el: holder}, {label: this.state.label, hint: LINEUP_HINT,
      keys: {n: () => this.next(), g: () => this.giveUp(), l: () => this.lines.box.click(), r: () => this.reset()}});
    this.root.root.classList.add('cw-lineup');
    this.line = new Line(model, busy => this.root.warn(busy ? BUSY : this.state.message));
    this.build();
    this.listeners = {'change:state': () => this.heard(), 'change:points': () => this.dealt()};
    for (const [name, f] of Object.entries(this.listeners)) model.on(name, f);
    this.dealt();
    this.heard();
  }
  get state() { return this.model.get('state'); }
  /** A pick that Python has not heard of yet counts here. */
  get early() { return !this.state.over && this.mine?.round === this.state.round ? this.mine : null; }
  get over() { return this.state.over || !!this.early; }
  get picked() { return this.early ? this.early.picked : this.state.picked; }

  build() {
    const s = this.state;
    this.verdict = el('div', {class: 'cw-lineup-verdict'});
    this.facts = el('div', {class: 'cw-lineup-facts'});
    this.grid = new PanelGrid(s.panels, i => this.pick(i));
    this.axes = el('div', {class: 'cw-note'});
    this.nextButton = button('Next round', () => this.next(), {title: 'N', kind: 'cw-main'});
    this.upButton = button('Give up', () => this.giveUp(), {title: 'G: show the real one; it does not count'});
    this.lines = toggle('help: lines', s.lines, on => { this.line.send('lines', {on}); this.render(); });
    this.hits = el('span', {class: 'cw-figure'});
    this.words = el('div', {class: 'cw-note'});
    this.table = el('table', {class: 'cw-lineup-table'});
    this.best = el('div', {class: 'cw-note'});
    const score = el('div', {class: 'cw-lineup-part'}, this.hits, this.words, this.table);
    this.root.body(el('div', {class: 'cw-lineup-body'},
      el('div', {class: 'cw-lineup-top'}, this.verdict, this.facts),
      el('div', {class: 'cw-columns'}, el('div', {class: 'cw-wide'}, this.grid.node, this.axes),
        el('div', {class: 'cw-panel'}, el('div', {class: 'cw-row'}, this.nextButton, this.upButton, this.lines), score, this.settings()))));
  }
  /** Sliders and an example; own data have a line of words in their place. */
  settings() {
    const {own, ranges, setting: at, n} = this.state;
    if (own) {
      return el('div', {class: 'cw-lineup-part'}, this.best, el('div', {class: 'cw-note'},
        `Your data, ${n.toLocaleString('en')} points: hidden in each round at another place, among shuffles of themselves.`));
    }
    const make = (name, {lo, hi, step}, more = {}) =>
      slider(name, {lo, hi, step, value: at[name], ...more}, () => this.moved(), () => this.settled());
    this.sliders = [make('n', ranges.n, {whole: true, log: true, label: 'points'}), make('slope', ranges.slope), make('noise', ranges.noise)];
    this.example = new Example();
    const reset = button('Reset', () => this.reset(), {title: 'R: points, slope and noise as at the start'});
    return el('div', {class: 'cw-lineup-part'}, this.best, ...this.sliders.map(s => s.node), el('div', {class: 'cw-row'}, reset), this.example.node);
  }
  values() { return Object.fromEntries(this.sliders.map(s => [s.name, s.value])); }

  // What the hand does
  pick(i) {
    if (this.over || this.stale) return;
    this.mine = {round: this.state.round, picked: i + 1};
    this.line.send('pick', {panel: i + 1, round: this.state.round});
    this.render();
  }
  giveUp() {
    if (this.over || this.stale) return;
    this.mine = {round: this.state.round, picked: null};
    this.line.send('reveal', {round: this.state.round});
    if (document.activeElement === this.upButton) { this.nextButton.disabled = false; this.nextButton.focus(); }
    this.render();
  }
  next() {
    if (!this.over || this.leaving === this.state.round) return;
    this.leaving = this.state.round;  // a second press goes no further
    this.line.send('next', {round: this.state.round});
    this.grid.move(this.grid.at);     // a button that cannot be pressed any more would lose the keys
    this.render();
  }
  moved() {
    this.trying = this.values();
    this.example.set(this.trying, this.state.sd_x, this.state.colours);
    this.render();
    this.telling ??= setTimeout(() => { this.telling = null; this.line.latest('drag', this.trying); }, 100);  // not every place
  }
  hush() { clearTimeout(this.telling); this.telling = null; }
  settled() { this.hush(); this.sent = this.line.send('set', this.values()); this.trying = null; this.render(); }
  reset() {
    if (!this.sliders) return;
    this.sliders.forEach(s => s.flush());
    this.hush();
    this.trying = null;
    this.sent = this.line.send('reset');
    this.render();
  }
  /** Another round is on its way, or will be as soon as the slider is let go. */
  get stale() { return !!this.trying || !!this.sent || this.leaving === this.state.round; }

  // What Python says
  heard() {
    const s = this.state;
    if (this.sent && this.line.idle) this.sent = null;
    if (this.line.idle) this.leaving = null;
    if (!this.trying && !this.sent && this.sliders) {
      this.sliders.forEach(t => t.set(s.setting[t.name], s.ranges[t.name].lo, s.ranges[t.name].hi));  // what was typed may have widened it
      this.example.set(s.setting, s.sd_x, s.colours);
    }
    if (this.line.idle) this.lines.box.checked = s.lines;
    if (this.round !== s.round) this.newRound();
    if (this.painted !== s.colours.data) { this.painted = s.colours.data; this.grid.again(s.colours); }
    this.root.warn(s.message);
    this.render();
  }
  newRound() {
    if (this.round) this.root.say(`Round ${this.state.round}: ${this.state.panels} panels`);
    this.round = this.state.round;
    this.grid.draw(this.lines.box.checked, false);
  }
  dealt() {
    const bytes = this.model.get('points');
    if (bytes?.byteLength) this.grid.deal(bytes);
  }

  // What the eye sees
  render() {
    const s = this.state, {over, picked} = this, waiting = this.stale;
    this.grid.label({over, real: s.real, picked, slopes: s.slopes});
    this.grid.node.classList.toggle('cw-lineup-stale', waiting);
    this.grid.draw(over || this.lines.box.checked);
    const verdict = over ? s.verdicts[picked || 0] : this.trying ? 'Let go for a new round.' : `Round ${s.round}: which panel holds the real data?`;
    setText(this.verdict, over && picked ? `${picked === s.real ? '✓' : '✗'} ${verdict}` : verdict);
    setText(this.facts, over ? s.facts : this.trying ? 'New points, and the real ones in a new place.'
      : `One of ${s.panels} does. The others are what chance alone draws, with the same means and spreads.`);
    if (over && this.toldOf !== s.round) { this.toldOf = s.round; this.root.say(`${verdict} ${s.facts}`); }
    this.nextButton.disabled = !over || waiting;
    this.upButton.disabled = over || waiting;
    this.score();
    setText(this.axes, s.axes);
  }
  score() {
    const s = this.state, rows = JSON.stringify(s.table);
    setText(this.hits, s.score[1] ? `${s.score[0]} of ${s.score[1]}` : 'Score');
    setText(this.words, together(s.score_words.replace(/^\d+ of \d+; g/, 'G')));
    setText(this.best, together(s.best));
    if (rows === this.rows || s.own) return;
    this.rows = rows;
    const cells = (tag, ...texts) => el('tr', {}, ...texts.map(t => el(tag, {}, t)));
    const row = ({setting: [n, slope, noise], lines, hits, picks, best}) =>
      cells('td', fmt(n), fmt(slope, 3), fmt(noise, 3), (picks ? `${hits} of ${picks}` : 'given up') + (lines ? ', with lines' : ''), best);
    const head = s.table.length ? [cells('th', 'points', 'slope', 'noise', 'you', 'best eye')] : [], more = s.table.length - MOST_SETTINGS;
    const rest = more > 0 ? [el('tr', {}, el('td', {colspan: '5'}, `and ${more} more before`))] : [];
    this.table.replaceChildren(...head, ...s.table.slice(0, MOST_SETTINGS).map(row), ...rest);
  }
  close() {
    this.hush();
    this.line.close();
    this.root.close();
    this.grid.close();
    this.example?.close();
    this.sliders?.forEach(s => s.close());
    for (const [name, f] of Object.entries(this.listeners)) this.model.off(name, f);
  }
}

export default {render(context) { const view = new LineUpView(context); return () => view.close(); }};
