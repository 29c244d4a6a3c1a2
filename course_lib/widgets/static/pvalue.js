// PValueSimulator: draws without a relation, one after the other. The object behind it is course_lib.maths.simulation.Simulation.

/** Places for the marks of an axis: about `most` of them, at 1, 2 or 5 times a power of ten. */
function ticks(lo, hi, most) {
  const rough = (hi - lo)/most, unit = 10**Math.floor(Math.log10(rough));
  const step = unit*([1, 2, 5].find(k => k*unit >= rough) || 10), found = [];
  for (let i = Math.ceil(lo/step - 1e-9); i*step <= hi + 1e-9*step; i++) found.push(Number((i*step).toPrecision(10)));
  return found;
}

/** Marks in words: to the digits of the step between them, with an exponent only where it must be. */
function tickWords(values) {
  const step = values.length > 1 ? Math.abs(values[1] - values[0]) : Math.abs(values[0]) || 1, size = Math.max(...values.map(Math.abs));
  const unit = Math.floor(Math.log10(step) + 1e-9), far = size >= 1e6 || step < 1e-4;
  const brief = v => v.toExponential(Math.max(0, Math.floor(Math.log10(Math.abs(v)) + 1e-9) - unit));
  const some = v => v && far ? brief(v) : String(Number(v.toFixed(Math.max(0, -unit))));
  return values.map(v => some(v).replace('e+', 'e').replaceAll('-', '−'));
}

/** A power of ten on a short axis: 100, 1k, 10k, 1M. */
const decadeWords = v => v >= 1e6 ? `${v/1e6}M` : v >= 1000 ? `${v/1000}k` : String(v);

/** A count, with commas. */
const whole = v => v.toLocaleString('en');

/** A number with its sign. */
const signedNumber = v => (v > 0 ? '+' : '') + fmt(v, 3);

/** The same for a place on an axis that reaches to `half`: no more digits than can be seen there. */
const placeNumber = (v, half) => signedNumber(Number(v.toFixed(Math.min(100, Math.max(0, 3 - Math.ceil(Math.log10(half)))))));

/** The smallest of 10, 20, 50, 100, 200, … that is not below v. */
function roundTop(v) {
  let top = 10;
  for (let i = 0; top < v; i++) top *= i % 3 === 1 ? 2.5 : 2;
  return top;
}

/** The logarithm of the gamma function, by Stirling's series from 8 on (Abramowitz and Stegun 1964, 6.1.41). */
function logGamma(x) {
  let less = 0;
  for (; x < 8; x++) less += Math.log(x);
  return (x - .5)*Math.log(x) - x + .5*Math.log(2*Math.PI) + 1/(12*x) - 1/(360*x**3) + 1/(1260*x**5) - less;
}

/** How densely the correlations of n points lie where there is no relation: what the t-test says, in terms of r. */
function nullDensity(n) {
  const log = logGamma((n - 1)/2) - logGamma((n - 2)/2) - .5*Math.log(Math.PI);
  return r => Math.abs(r) >= 1 ? 0 : Math.exp(log + (n - 4)/2*Math.log1p(-r*r));
}

/** A canvas with axes that is as wide as its place. `painter(ctx, frame)` draws inside, in CSS pixels. */
class Frame {
  constructor(label, {height = 200, focus = false, left = 44, bottom = 32, top = 20, right = 8} = {}) {
    Object.assign(this, {height, left, bottom, top, right, painter: () => {}, width: 0, x: [0, 1], y: [0, 1], logx: false});
    this.canvas = el('canvas', {class: 'cw-p-canvas', role: 'img', 'aria-label': label, tabindex: focus ? '0' : null, style: `height:${height}px`});
    this.node = el('div', {class: 'cw-p-frame'}, this.canvas);
    this.watch = new ResizeObserver(() => this.fit());
    this.watch.observe(this.node);
  }
  fit() {
    const width = Math.round(this.node.clientWidth), scale = Math.ceil(devicePixelRatio || 1);
    if (!width || width === this.width) return;
    Object.assign(this, {width, scale});
    Object.assign(this.canvas, {width: width*scale, height: this.height*scale});
    this.paint();
  }
  /** Ask for one painting with the next frame of the browser. */
  draw() {
    if (!this.asked) this.asked = requestAnimationFrame(() => { this.asked = null; this.paint(); });
  }
  paint() {
    if (!this.width) return;
    const ctx = this.canvas.getContext('2d', {willReadFrequently: true});   // small: the processor paints it sooner than a GPU is asked
    this.font ||= getComputedStyle(this.canvas).fontFamily;
    this.box = {l: this.left, t: this.top, r: this.width - this.right, b: this.height - this.bottom};
    ctx.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    ctx.clearRect(0, 0, this.width, this.height);
    this.painter(ctx, this);
  }
  X(v) {
    const f = this.logx ? Math.log10 : u => u, {l, r} = this.box;
    return l + (f(v) - f(this.x[0]))/(f(this.x[1]) - f(this.x[0]))*(r - l);
  }
  Y(v) { return this.box.b - (v - this.y[0])/(this.y[1] - this.y[0])*(this.box.b - this.box.t); }
  /** The place on the x axis of a mouse event. */
  at(e) {
    const {l, r} = this.box, px = e.clientX - this.canvas.getBoundingClientRect().left;
    return this.x[0] + (px - l)/(r - l)*(this.x[1] - this.x[0]);
  }
  text(ctx, words, x, y, {align = 'left', colour = this.ink, size = 11, bold = false} = {}) {
    ctx.font = `${bold ? '600 ' : ''}${size}px ${this.font}`;
    Object.assign(ctx, {fillStyle: colour, textAlign: align});
    ctx.fillText(words, x, y);
  }
  /** As much of the words as fits in `most` pixels. */
  short(ctx, words, most, {size = 11, bold = false} = {}) {
    ctx.font = `${bold ? '600 ' : ''}${size}px ${this.font}`;
    if (ctx.measureText(words).width <= most) return words;
    let k = words.length;
    while (k > 1 && ctx.measureText(words.slice(0, k) + '…').width > most) k--;
    return words.slice(0, k) + '…';
  }
  /** Words under the marks of the x axis: the last first; what would touch another one is left out. */
  under(ctx, values, words, y) {
    ctx.font = `10.5px ${this.font}`;
    let free = this.width;
    for (let i = values.length - 1; i >= 0; i--) {
      const wide = ctx.measureText(words[i]).width, at = Math.max(0, Math.min(this.X(values[i]) - wide/2, this.width - wide - 1));
      if (at + wide > free) continue;
      this.text(ctx, words[i], at, y, {size: 10.5});
      free = at - 5;
    }
  }
  clip(ctx, f) {
    const {l, t, r, b} = this.box;
    ctx.save(); ctx.beginPath(); ctx.rect(l, t, r - l, b - t); ctx.clip();
    f();
    ctx.restore();
  }
  /** The box, marks along both axes, and what they count. */
  axes(ctx, {xlabel = '', ylabel = '', title = '', colour = this.ink} = {}) {
    const {t, r, b} = this.box, up = ticks(...this.y, Math.max(2, (b - t)/30)), upWords = tickWords(up);
    ctx.font = `10.5px ${this.font}`;
    const l = this.box.l = Math.max(this.left, Math.ceil(Math.max(0, ...upWords.map(w => ctx.measureText(w).width))) + 7);
    const across = this.logx ? this.decades() : ticks(...this.x, Math.max(2, (r - l)/62));
    ctx.strokeStyle = this.ink; ctx.lineWidth = 1; ctx.globalAlpha = .4; ctx.setLineDash([]);
    ctx.strokeRect(l + .5, t + .5, r - l - 1, b - t - 1);
    ctx.beginPath();
    for (const v of across) { ctx.moveTo(this.X(v), b); ctx.lineTo(this.X(v), b + 3); }
    for (const v of up) { ctx.moveTo(l - 3, this.Y(v)); ctx.lineTo(l, this.Y(v)); }
    ctx.stroke(); ctx.globalAlpha = 1;
    this.under(ctx, across, this.logx ? across.map(decadeWords) : tickWords(across), b + 14);
    up.forEach((v, i) => this.text(ctx, upWords[i], l - 5, this.Y(v) + 3.5, {align: 'right', size: 10.5}));
    this.text(ctx, this.short(ctx, xlabel, r - 2), r, b + 27, {align: 'right'});
    this.text(ctx, title, r, t - 7, {align: 'right', colour, bold: true, size: 12});
    this.text(ctx, this.short(ctx, ylabel, r - 14 - (title ? ctx.measureText(title).width : 0)), 2, t - 7);
  }
  decades() {
    const found = [];
    for (let v = 10**Math.ceil(Math.log10(this.x[0])); v <= this.x[1]*1.0001; v *= 10) found.push(v);
    return found;
  }
  path(ctx, xs, ys, {colour, width = 2, dash = []}) {
    Object.assign(ctx, {strokeStyle: colour, lineWidth: width});
    ctx.setLineDash(dash);
    ctx.beginPath();
    xs.forEach((x, i) => ctx.lineTo(this.X(x), this.Y(ys[i])));
    ctx.stroke(); ctx.setLineDash([]);
  }
  close() { this.watch.disconnect(); cancelAnimationFrame(this.asked); }
}

/** Slanted lines in a colour, as a fill: a tail is told by them, not by its colour alone. */
function hatch(ctx, colour, scale) {
  const tile = el('canvas', {width: 6*scale, height: 6*scale}), t = tile.getContext('2d');
  t.scale(scale, scale);
  Object.assign(t, {strokeStyle: colour, lineWidth: 1.4, lineCap: 'square'});
  t.beginPath();
  for (const at of [-6, 0, 6]) { t.moveTo(at, 6); t.lineTo(at + 6, 0); }
  t.stroke();
  const pattern = ctx.createPattern(tile, 'repeat');
  pattern.setTransform(new DOMMatrix().scale(1/scale));
  return pattern;
}

/** Points and two lines: the scatter's own, and that of the other scatter, dashed. */
class ScatterView {
  constructor(label, hollow) {
    this.hollow = hollow;
    this.frame = new Frame(label, {height: 215, left: 36});
    this.frame.painter = (ctx, f) => this.paint(ctx, f);
    this.node = this.frame.node;
  }
  /** `points` [xs, ys], `own` and `other` slopes (null for none), all lines through `mean`. */
  show(what) { Object.assign(this, what); this.frame.draw(); }
  paint(ctx, f) {
    if (!this.limits) return;
    const {points: [xs, ys], own, other, colours, mean, ends, limits: {x, y}} = this;
    Object.assign(f, {x, y, ink: colours.ink});
    f.axes(ctx, {xlabel: this.names[0], ylabel: this.names[1], title: this.title, colour: this.hollow ? colours.data : colours.curve});
    f.clip(ctx, () => {
      const size = xs.length > 120 ? 2 : 2.6;
      Object.assign(ctx, {fillStyle: colours.ink, strokeStyle: colours.ink, lineWidth: 1, globalAlpha: this.hollow ? .85 : .6});
      ctx.beginPath();   // all points in one path: far quicker than one path each
      for (let i = 0; i < xs.length; i++) {
        const px = f.X(xs[i]), py = f.Y(ys[i]);
        ctx.moveTo(px + size, py); ctx.arc(px, py, size, 0, 2*Math.PI);
      }
      if (this.hollow) ctx.stroke(); else ctx.fill();
      ctx.globalAlpha = 1;
      const line = b => ends.map(v => mean[1] + b*(v - mean[0]));
      if (other !== null) f.path(ctx, ends, line(other), {colour: this.hollow ? colours.curve : colours.data, width: 1.8, dash: [6, 4]});
      if (own !== null) f.path(ctx, ends, line(own), {colour: this.hollow ? colours.data : colours.curve, width: 3});
    });
    if (own === null) f.text(ctx, 'press +1 for a first draw', (f.box.l + f.box.r)/2, f.box.t + 22, {align: 'center', size: 12});
  }
  close() { this.frame.close(); }
}

/** The heap of slopes by chance, with the observed slope, the tails beyond it, and the curve of the formula. */
class HeapView {
  constructor() {
    this.frame = new Frame('slopes by chance', {height: 235, focus: true, left: 44});
    this.frame.painter = (ctx, f) => this.paint(ctx, f);
    Object.assign(this, {node: this.frame.node, top: 10, chosen: null, falls: null, curve: true});
  }
  /** The state from Python, and where the sliders stand in the browser. */
  show(state, here) { Object.assign(this, {state, here}); this.frame.draw(); }
  get place() { const {bars: {width, side}} = this.state; return {width, side}; }
  barAt(v) { const {width, side} = this.place; return Math.max(0, Math.min(2*side - 1, Math.floor(v/width) + side)); }
  middle(i) { const {width, side} = this.place; return (i - side + .5)*width; }
  /** How far the axis reaches: the bulk of what chance does, and the observed slope. */
  get half() {
    const {n, unit, r} = this.here;
    return 1.03*unit*Math.min(1, Math.max(4.5/Math.sqrt(n - 1), 1.35*Math.abs(r)));
  }
  /** Expected draws in a bar at slope v, by formula. */
  expected() {
    const {n, unit} = this.here, density = nullDensity(n), scale = this.state.results.count*this.place.width/unit;
    return v => scale*density(v/unit);
  }
  paint(ctx, f) {
    if (!this.state) return;
    const {bars: {counts}} = this.state, want = this.expected(), half = this.half;
    const high = Math.max(...counts, this.curve ? Math.min(want(0), 3*Math.max(...counts)) : 0), goal = roundTop(1.12*high);
    this.top = reducedMotion() || Math.abs(goal/this.top - 1) < .01 ? goal : this.top + .25*(goal - this.top);
    Object.assign(f, {x: [-half, half], y: [0, this.top], ink: this.state.colours.ink});
    f.axes(ctx, {xlabel: 'slope of a line through data without a relation', ylabel: 'draws'});
    f.clip(ctx, () => { this.bars(ctx, f); if (this.curve && this.state.results.count) this.density(ctx, f, want); });
    this.marks(ctx, f);
    this.ball(ctx, f);
    f.canvas.dataset.bars = counts.join(' ');   // what is seen, for tests
    if (this.top !== goal || this.falls) f.draw();
  }
  /** All bars in one path, and the tails in another over it. */
  bars(ctx, f) {
    const {bars: {counts, tails, side, width}, colours} = this.state, floor = f.Y(0), gap = f.X(width) - f.X(0) > 4 ? 1 : 0;
    const box = (i, v) => { const x = f.X((i - side)*width); return [x, f.Y(v), Math.max(1, f.X((i - side + 1)*width) - x - gap), floor - f.Y(v)]; };
    const path = values => { ctx.beginPath(); values.forEach((v, i) => { if (v) ctx.rect(...box(i, v)); }); };
    path(counts.map((c, i) => c - tails[i] ? c : 0));
    Object.assign(ctx, {fillStyle: colours.data, globalAlpha: .45}); ctx.fill(); ctx.globalAlpha = 1;
    path(tails);
    if (this.hatched?.of !== colours.curve) this.hatched = {of: colours.curve, lines: hatch(ctx, colours.curve, f.scale)};
    Object.assign(ctx, {fillStyle: this.hatched.lines, strokeStyle: colours.curve, lineWidth: 1}); ctx.fill(); ctx.stroke();
    if (this.chosen === null || !counts[this.chosen]) return;
    Object.assign(ctx, {strokeStyle: colours.ink, lineWidth: 2}); ctx.strokeRect(...box(this.chosen, counts[this.chosen]));
  }
  density(ctx, f, want) {
    const xs = [], half = this.half;
    for (let i = -100; i <= 100; i++) xs.push(half*i/100);
    f.path(ctx, xs, xs.map(x => Math.min(want(x), 3*this.top)), {colour: this.state.colours.ink, width: 1.5});
  }
  /** Where a tail begins: a line, and how many draws are beyond it. */
  marks(ctx, f) {
    const {bars: {tails, side}, tail} = this.state, b = this.here.slope, sum = part => part.reduce((x, y) => x + y, 0);
    const low = sum(tails.slice(0, side)), high = sum(tails.slice(side));
    if (tail !== 'two' || b === 0) return this.mark(ctx, f, b, 'observed', low + high, tail === 'two' ? 0 : tail === 'less' ? -1 : 1);
    this.mark(ctx, f, b, 'observed', b < 0 ? low : high, Math.sign(b));
    this.mark(ctx, f, -b, 'other', b < 0 ? high : low, -Math.sign(b));
  }
  mark(ctx, f, v, name, count, way) {
    const x = f.X(v), {colours: {curve: colour}, results} = this.state, {l, r, t, b} = f.box, main = name === 'observed';
    Object.assign(ctx, {strokeStyle: colour, fillStyle: colour, lineWidth: main ? 2.6 : 1.6, globalAlpha: .07});
    if (way) ctx.fillRect(x, t, (way < 0 ? l : r) - x, b - t);
    ctx.globalAlpha = 1;
    ctx.setLineDash(main ? [] : [6, 4]);
    ctx.beginPath(); ctx.moveTo(x, t); ctx.lineTo(x, b); ctx.stroke(); ctx.setLineDash([]);
    const names = main ? [name, placeNumber(v, this.half)] : ['as far,', 'other side'];
    const words = [...names, results.count ? `${whole(count)} ${way ? 'beyond' : 'in all'}` : ''];
    ctx.font = `600 11px ${f.font}`;
    const wide = Math.max(...words.map(w => ctx.measureText(w).width)) + 6;
    const left = v < 0 ? x - wide > l : x + wide > r;
    words.forEach((w, i) => f.text(ctx, w, x + (left ? -5 : 5), t + 14*(i + 1), {align: left ? 'right' : 'left', colour, bold: i < 2}));
    if (this.state.tail !== 'two') this.arrow(ctx, f, x, way);
  }
  /** Which way a one-sided tail lies. */
  arrow(ctx, f, x, way) {
    const y = f.box.t + 54;
    Object.assign(ctx, {strokeStyle: this.state.colours.curve, lineWidth: 2});
    ctx.beginPath(); ctx.moveTo(x, y); ctx.lineTo(x + 26*way, y);
    ctx.moveTo(x + 20*way, y - 4); ctx.lineTo(x + 26*way, y); ctx.lineTo(x + 20*way, y + 4); ctx.stroke();
  }
  /** The draw that is shown: a ball on its bar, falling there when it has just come. */
  ball(ctx, f) {
    const {shown_slope: v, colours, bars: {counts}} = this.state;
    if (v === null || Math.abs(v) > this.half) return;
    const i = this.barAt(v), rest = Math.max(f.Y(counts[i]) - 6, f.box.t + 4), age = this.falls ? (performance.now() - this.falls)/320 : 1;
    const y = age >= 1 ? rest : f.box.t + (rest - f.box.t)*age*age;
    if (age >= 1) this.falls = null;
    Object.assign(ctx, {fillStyle: colours.data, strokeStyle: colours.ink, lineWidth: 1.2});
    ctx.beginPath(); ctx.arc(f.X(v), y, 4.5, 0, 7); ctx.fill(); ctx.stroke();
  }
  fall() { if (!reducedMotion()) this.falls = performance.now(); }
  close() { this.frame.close(); }
}

/** How p settles: with its error as a band, and the formula's p as a dashed line. */
class SettlingView {
  constructor() {
    this.frame = new Frame('p as draws accumulate', {height: 140, left: 44, right: 20});
    this.frame.logx = true;
    this.frame.painter = (ctx, f) => this.paint(ctx, f);
    Object.assign(this, {node: this.frame.node, top: 1});
  }
  show(state) { this.state = state; this.frame.draw(); }
  paint(ctx, f) {
    if (!this.state) return;
    const {running: [at, p, error], results: {formula, count}, colours} = this.state;
    const late = p.map((v, i) => at[i] >= count/20 ? v + 2*error[i] : 0), goal = Math.min(1, Math.max(.02, 2.2*formula, 1.1*Math.max(...late, 0)));
    this.top = reducedMotion() || Math.abs(goal/this.top - 1) < .01 ? goal : this.top + .25*(goal - this.top);
    Object.assign(f, {x: [1, Math.max(1000, 10**Math.ceil(Math.log10(count || 1)))], y: [0, this.top], ink: colours.ink});
    f.axes(ctx, {xlabel: 'draws (log scale)', ylabel: 'p'});
    f.clip(ctx, () => {
      Object.assign(ctx, {fillStyle: colours.data, globalAlpha: .25});
      ctx.beginPath();
      at.forEach((k, i) => ctx.lineTo(f.X(k), f.Y(p[i] + 2*error[i])));
      at.map((k, i) => [k, p[i] - 2*error[i]]).reverse().forEach(([k, v]) => ctx.lineTo(f.X(k), f.Y(v)));
      ctx.fill(); ctx.globalAlpha = 1;
      f.path(ctx, at, p, {colour: colours.data, width: 2});
      f.path(ctx, f.x, [formula, formula], {colour: colours.curve, width: 1.8, dash: [6, 4]});
    });
    if (this.top !== goal) f.draw();
  }
  close() { this.frame.close(); }
}

const TAILS = [['two', 'two-sided: as far from 0'], ['less', 'lower: this slope or lower'], ['greater', 'higher: this slope or higher']];
const NULLS = [['gaussian', 'Gaussian: x and y drawn anew'], ['permutation', 'permutation: y dealt out anew']];
const FAST = 60, SLOW = 700, LOTS = 100_000;   // milliseconds between draws at the end and at the start; draws at which play stops

/** How long to wait after draw number i of a play, and how many draws come with it: slow enough to see each, then faster. */
function pace(i) {
  if (reducedMotion()) return {wait: SLOW, b: Math.min(500, Math.ceil(1.5**Math.max(0, i - 5)))};
  return {wait: Math.max(FAST, SLOW*.82**Math.max(0, i - 4)), b: Math.min(500, Math.ceil(1.12**Math.max(0, i - 18)))};
}

class PValueView {
  constructor({model, el: holder}) {
    Object.assign(this, {model, dragging: null, playing: false, owed: new Set()});
    const keys = {' ': () => this.toggle(), r: () => this.do('reset'), c: () => this.do('clear'), 'Ctrl+z': () => this.do('undo'),
      'Ctrl+y': () => this.do('redo'), 'Ctrl+Shift+z': () => this.do('redo')};
    [1, 10, 100, 1000].forEach((b, i) => { keys[i + 1] = () => this.more(b); });
    this.root = makeRoot({model, el: holder}, {label: 'Could it be chance?', keys,
      hint: 'Keys: 1 2 3 4 draw 1, 10, 100, 1,000; Space play, C clear, Ctrl+Z undo, Ctrl+Y redo, R reset; on the histogram ← → along the bars'});
    this.line = new Line(model, busy => this.root.warn(busy ? BUSY : this.state.message));
    this.values = {...this.state.values};
    this.build();
    this.listen = () => this.heard();
    model.on('change:state', this.listen);
    this.heard();
  }
  get state() { return this.model.get('state'); }

  build() {
    this.seen = new ScatterView('what was observed', false);
    this.chance = new ScatterView('a draw without a relation', true);
    this.heap = new HeapView();
    this.settling = new SettlingView();
    this.readout = el('div', {class: 'cw-note cw-p-readout'});
    this.playButton = button('▶ Play', () => this.toggle(), {title: 'space: draws keep coming, slowly at first'});
    this.newest = button('newest', () => this.do('newest'), {title: 'show the newest draw again'});
    const draws = el('div', {class: 'cw-row cw-p-draws'}, el('span', {class: 'cw-p-ask'}, 'Draw'),
      ...[1, 10, 100, 1000].map((b, i) => button(`+${b}`, () => this.more(b), {kind: i ? '' : 'cw-main', title: `key ${i + 1}`})),
      this.playButton, button('Clear', () => this.do('clear'), {title: 'C: take all draws away; the settings stay. Undo brings them back'}));
    const curve = toggle('curve of the formula', true, on => { this.heap.curve = on; this.heap.frame.draw(); });
    this.code = codeBox(this.line);
    const left = el('div', {class: 'cw-p-left'}, el('div', {class: 'cw-p-pair'}, this.seen.node, this.chance.node,
      el('div', {class: 'cw-note'}, 'Each with its own line; dashed: the line of the other one.')), draws, this.heap.node,
      el('div', {class: 'cw-row cw-p-under'}, this.readout, curve));
    const panel = this.panel(), words = el('div', {class: 'cw-p-words'}, ...Object.values(this.words), this.code.node);
    const grid = el('div', {class: 'cw-p-grid'}, left, panel, words);
    this.root.body(el('div', {class: 'cw-p'}, grid));
    this.watchHeap();
  }
  panel() {
    this.p = el('span', {class: 'cw-figure'});
    this.formula = el('span', {class: 'cw-figure'});
    this.agree = el('div', {class: 'cw-p-agree'});
    this.counted = el('div', {class: 'cw-note cw-p-counted'});
    this.moved = el('div', {class: 'cw-p-moved'});
    this.words = {practical: el('p'), line: el('p', {class: 'cw-note'}), power: el('p', {class: 'cw-note'})};
    this.sliders = Object.entries(this.state.ranges).map(([k, [lo, hi, step]]) => slider(k, {lo, hi, step, value: this.values[k],
      whole: k === 'n', log: k === 'n', digits: k === 'n' ? 6 : 4,
      onrefused: v => this.set({[k]: v})}, v => this.drag(k, v), v => this.settle(k, v)));
    this.tail = choice('tail', TAILS, this.state.tail, v => this.set({tail: v}));
    this.null = choice('null', NULLS, this.state.null, v => this.set({null: v}));
    this.seed = numberBox('seed', this.state.seed, v => this.set({seed: Math.round(v)}), {min: 0, title: 'another seed, other draws'});
    this.undo = button('↶ Undo', () => this.do('undo'), {title: 'Ctrl+Z'});
    this.redo = button('↷ Redo', () => this.do('redo'), {title: 'Ctrl+Y'});
    this.data = button('Back to the data', () => this.do('data'), {title: 'your own data again, as they were'});
    const number = (name, node) => el('div', {class: 'cw-p-number'}, el('span', {class: 'cw-note'}, name), node);
    const reset = button('Reset', () => this.do('reset'), {title: 'R: everything as at the start'});
    return el('div', {class: 'cw-p-panel'},
      el('div', {class: 'cw-p-results'}, el('div', {class: 'cw-p-numbers'}, number('p by simulation', this.p), number('p by formula', this.formula)),
        this.counted, this.agree),
      el('div', {class: 'cw-p-settling'}, this.settling.node,
        legend([{name: 'simulated p ± 2 errors', colour: 'var(--c-data)'}, {name: 'formula', colour: 'var(--c-curve)', dash: true}])),
      el('div', {class: 'cw-p-sliders'}, ...this.sliders.map(s => s.node), this.moved),
      el('div', {class: 'cw-p-choices'}, this.tail, this.null, el('div', {class: 'cw-row'}, this.undo, this.redo, reset, this.data, this.seed)));
  }

  // Draws
  more(b) { this.pause(); this.flush(); this.drawn(b); }
  /** Ask for draws. What Python leaves for a further request is asked for when it has answered. */
  drawn(b) { this.owed.add(this.line.send('draw', {b})); this.restSoon(); }
  ask(op, args) { this.owed.clear(); this.line.send(op, args); this.restSoon(); }
  do(what) { this.pause(); this.flush(); this.ask(what); }
  set(values) { this.pause(); this.flush(); this.ask('set', values); }
  flush() { this.sliders.forEach(s => s.flush()); }
  toggle() { if (this.playing) this.pause(); else this.play(); }
  play() {
    this.flush();
    Object.assign(this, {playing: true, beat: 0});
    setText(this.playButton, '‖ Pause');
    this.tick();
  }
  /** One beat of a play; the next comes when Python has answered and the wait is over. */
  tick() {
    if (!this.playing) return;
    if (this.state.results.count >= LOTS) return this.pause();
    const {wait, b} = pace(this.beat++);
    this.due = performance.now() + wait;
    this.beatId = this.line.send('draw', {b});
  }
  nextBeat(problem) {
    if (problem) return this.pause();
    this.timer = setTimeout(() => this.tick(), Math.max(0, this.due - performance.now()));
  }
  pause() {
    clearTimeout(this.timer);
    if (!this.playing) return;
    this.playing = false;
    setText(this.playButton, '▶ Play');
    this.restSoon();
  }
  /** When all has been quiet for a while, Python draws the picture that stays. */
  restSoon() {
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => {
      if (!this.line.idle || this.dragging || this.playing) return this.restSoon();
      this.quiet = null;
      this.line.send('rest');
    }, 3000);   // it takes Python about a quarter of a second, and a learner who goes on would wait for it
  }

  // Sliders
  drag(name, value) {
    this.pause();
    this.dragging = name;
    if (value > 0 || name === 'slope') this.values = {...this.values, [name]: value};   // what cannot be is left to Python to say
    this.line.latest('drag', {[name]: value});
    this.show(name === 'n');
  }
  settle(name, value) { this.dragging = null; this.ask('set', {[name]: value}); }

  // The histogram under mouse and keys
  watchHeap() {
    const {canvas} = this.heap.frame;
    canvas.addEventListener('pointermove', e => this.hover(this.heap.barAt(this.heap.frame.at(e))));
    canvas.addEventListener('pointerleave', () => { this.heap.chosen = null; this.heap.frame.draw(); this.tell(); });
    canvas.addEventListener('click', e => { const i = this.nearBar(this.heap.barAt(this.heap.frame.at(e))); if (i !== null) this.pick(i); });
    canvas.addEventListener('keydown', e => this.walk(e));
    canvas.addEventListener('blur', () => { this.heap.chosen = null; this.heap.frame.draw(); });
  }
  hover(i) { this.heap.chosen = i; this.heap.frame.draw(); this.tell(); }
  /** The bar with draws that is nearest to bar i. */
  nearBar(i) {
    const full = this.state.bars.counts.flatMap((c, k) => c ? [k] : []);
    return full.length ? full.reduce((a, k) => Math.abs(k - i) < Math.abs(a - i) ? k : a) : null;
  }
  pick(i) {
    this.pause();
    this.heap.chosen = i;
    this.line.latest('pick', {value: this.heap.middle(i), width: this.state.bars.width});
    this.restSoon();
  }
  walk(e) {
    const full = this.state.bars.counts.flatMap((c, k) => c ? [k] : []), here = this.heap.chosen ?? this.heap.barAt(this.state.shown_slope ?? 0);
    if (!full.length || e.ctrlKey || e.metaKey || e.altKey) return;
    const to = {ArrowRight: full.find(k => k > here) ?? full.at(-1), ArrowLeft: full.findLast(k => k < here) ?? full[0],
      Home: full[0], End: full.at(-1), Enter: this.nearBar(here)}[e.key];
    if (to === undefined) return;
    e.preventDefault();
    this.pick(to);
    this.root.say(this.barWords(to));
  }
  barWords(i) {
    const {bars: {counts, side, width}, results} = this.state, edge = k => fmt((k - side)*width, 3);
    return `${whole(counts[i])} of ${whole(results.count)} slopes lie between ${edge(i)} and ${edge(i + 1)}`;
  }

  // What Python says
  heard() {
    const s = this.state;
    if (this.owed.delete(s.ack) && s.left && !s.message) this.drawn(s.left);
    if (this.playing && s.ack === this.beatId) this.nextBeat(s.message);
    if (this.dragging && s.moving) { this.show(true); return this.soon(); }
    if (!this.dragging) {
      this.values = {...s.values};
      this.sliders.forEach(t => t.set(s.values[t.name], ...s.ranges[t.name].slice(0, 2)));
    }
    if (s.results.count === this.count + 1) this.heap.fall();
    this.count = s.results.count;
    this.controls(s);
    this.code.show(s.code);
    this.all();
  }
  /** While a slider moves, the histogram follows each answer; words and points, which nobody reads that fast, ten times a second. */
  soon() { this.later ||= setTimeout(() => this.all(), Math.max(0, 100 - (performance.now() - (this.full || 0)))); }
  all() {
    clearTimeout(this.later);
    Object.assign(this, {later: null, full: performance.now()});
    this.root.warn(this.state.message);
    this.numbers(this.state);
    this.show();
  }
  controls(s) {
    this.tail.box.value = s.tail;
    this.null.box.value = s.null;
    this.seed.set(s.seed);
    if (s.message) this.seed.box.value = s.seed;   // a seed that was refused does not stay, even while its box has the focus
    this.undo.disabled = !s.can_undo;
    this.redo.disabled = !s.can_redo;
    this.data.hidden = !s.has_data;
    this.data.disabled = s.own;
  }
  numbers(s) {
    setText(this.p, s.words.p);
    setText(this.formula, s.words.formula);
    setText(this.counted, s.words.counted);
    const sign = s.words.agree === null ? '' : s.words.agree ? '✓ ' : '≠ ';
    setText(this.agree, s.results.count ? sign + s.words.said : 'Press +1, or Play.');
    setText(this.moved, s.words.moved || 'Move n: the slope stays, p does not.');
    for (const [k, node] of Object.entries(this.words)) if (s.words[k]) setText(node, s.words[k]);
    Object.assign(this.words.power.style, {opacity: s.words.power === null ? .35 : 1,   // that of before, until the slider rests
      visibility: s.words.power === '' ? 'hidden' : 'visible'});   // without a slope there is none; it keeps its place
    if (!s.moving && !this.playing && s.alt !== this.said) {
      this.said = s.alt;
      this.root.say(s.alt);
      this.heap.frame.canvas.setAttribute('aria-label', `${s.alt} Arrow keys move along the bars.`);
      this.seen.frame.canvas.setAttribute('aria-label', `observed points with a line of slope ${fmt(s.values.slope, 3)}`);
      this.chance.frame.canvas.setAttribute('aria-label', s.shown === null ? 'nothing drawn yet' :
        `draw ${s.shown + 1}, points without a relation, with a line of slope ${fmt(s.shown_slope, 3)}`);
    }
    this.tell();
  }
  /** The line under the histogram: the bar under the hand, or the draw that is shown. */
  tell() {
    const s = this.state, k = this.heap.chosen, count = s.results.count;
    if (!count) return setText(this.readout, 'Nothing drawn yet: each draw adds one slope here.');
    if (k !== null && s.bars.counts[k]) return setText(this.readout, `${this.barWords(k)}. Click: see one; again: the next.`);
    const next = count < LOTS ? 'Click a bar to see a draw from it.' : 'Play stops here.';
    setText(this.readout, `Draw ${whole(s.shown + 1)} of ${whole(count)} is shown (●). ${next}`);
  }

  // What the eye sees
  show(heapOnly = false) {
    const s = this.state, v = this.values, {colours, mean, limits, names, ends} = s, n = Math.max(3, v.n);
    const sdY = Math.hypot(v.slope*s.sd_x, v.noise*Math.sqrt((n - 2)/(n - 1)));   // as in Python: n − 2 degrees of freedom
    const unit = sdY/s.sd_x, shared = {colours, mean, limits, names, ends}, chance = s.shown_slope === null ? null : s.shown_slope/s.unit*unit;
    this.heap.show(s, {...v, n, unit, r: v.slope/unit});
    if (heapOnly) return;   // n alone moves no line; its points are Python's
    const points = this.moving(s.observed, s.values, v), wider = s.chance[1].map(y => mean[1] + (y - mean[1])*unit/s.unit);
    this.seen.show({...shared, points, own: v.slope, other: chance, title: `observed: slope ${placeNumber(v.slope, this.heap.half)}`});
    this.chance.show({...shared, points: [s.chance[0], wider], own: chance, other: v.slope,
      title: chance === null ? 'by chance' : `by chance: slope ${placeNumber(chance, this.heap.half)}`});
    this.settling.show(s);
  }
  /** The observed points where the sliders stand: the same noise, larger or smaller, about the line. */
  moving([xs, ys], from, to) {
    if (from.slope === to.slope && from.noise === to.noise || !from.noise) return [xs, ys];
    const {mean} = this.state, part = to.noise/from.noise;
    return [xs, ys.map((y, i) => mean[1] + to.slope*(xs[i] - mean[0]) + part*(y - mean[1] - from.slope*(xs[i] - mean[0])))];
  }
  close() {
    clearTimeout(this.timer);
    clearTimeout(this.quiet);
    clearTimeout(this.later);
    this.line.close();
    this.root.close();
    for (const part of [this.seen, this.chance, this.heap, this.settling]) part.close();
    this.sliders.forEach(s => s.close());
    this.model.off('change:state', this.listen);
  }
}

export default {render(context) { const view = new PValueView(context); return () => view.close(); }};
