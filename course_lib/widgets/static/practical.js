// Two places, a model and a decision: PracticalSignificance. The object behind it is course_lib.maths.stakes.Stakes.

/**
 * A part of the picture, from `top` and `height` CSS pixels high, over its whole width. All positions stay those of the
 * whole picture, so that Python draws one figure and two parts of it can stand apart.
 */
class Strip extends Plot {
  constructor(label, {top, height}) {
    super(label);
    Object.assign(this, {top, height});
    this.node.classList.add('cw-pane');
  }
  async background(bytes, size, axes) {
    await super.background(bytes, size, axes);
    this.node.style.aspectRatio = `${size[0]} / ${this.height}`;
    for (const part of [this.back, this.front]) {
      part.style.height = `${100*size[1]/this.height}%`;
      part.style.top = `${-100*this.top/this.height}%`;
    }
    this.canvas.height = this.height*this.scale;
    this.paint();
  }
  paint() {
    if (!this.axes) return;
    const ctx = this.canvas.getContext('2d');
    ctx.setTransform(this.scale, 0, 0, this.scale, 0, -this.top*this.scale);
    ctx.clearRect(0, this.top, this.size[0], this.height);
    this.painter(ctx, this);
  }
  /** The bands are transparent, so that at rest the canvas must not shine through matplotlib's picture. */
  rest() { super.rest(); this.canvas.style.opacity = 0; }
  move() { this.canvas.style.opacity = ''; super.move(); }
  /** A marker as matplotlib draws it: `size` and `edge` in points. */
  marker(ctx, x, y, {shape = 'o', size = 11, edge = 2, colour, hollow = false, k = 0}) {
    const [px, py, r] = [this.X(x, k), this.Y(y, k), size/2*100/72];
    this.clip(ctx, () => {
      ctx.strokeStyle = ctx.fillStyle = colour; ctx.lineWidth = edge*100/72;
      ctx.beginPath();
      if (shape === 'o') ctx.arc(px, py, r, 0, 2*Math.PI);
      else if (shape === 's') ctx.rect(px - r, py - r, 2*r, 2*r);
      else for (const [a, b] of SHAPES[shape]) ctx.lineTo(px + a*r, py + b*r);
      ctx.closePath();
      if (!hollow) ctx.fill();
      if (edge) ctx.stroke();
    }, k);
  }
}

const SHAPES = {'>': [[1, 0], [-1, -1], [-1, 1]], '<': [[-1, 0], [1, -1], [1, 1]], v: [[0, 1], [-1, -1], [1, -1]],
                D: [[0, Math.SQRT2], [Math.SQRT2, 0], [0, -Math.SQRT2], [-Math.SQRT2, 0]]};

// ---- The same sums as course_lib.maths.decide

/** d'·inv·d, the part of the leverage that grows with the distance from the middle of the data. */
const distance = (inv, d) => inv.reduce((sum, row, i) => sum + d[i]*row.reduce((s, v, j) => s + v*d[j], 0), 0);

/** What a model says of a place; without a band where nobody told how sure it is. */
function ask(m, place) {
  const d = m.names.map((n, i) => place[n] - m.centre[i]), mean = m.base + d.reduce((s, v, i) => s + v*m.coefs[i], 0);
  const outside = m.names.filter(n => m.ranges[n] && (place[n] < m.ranges[n][0] || place[n] > m.ranges[n][1]));
  if (!m.inv) return {mean, outside, unusual: false, low: null, high: null, lowOne: null, highOne: null};
  const h = 1/m.n + distance(m.inv, d), half = m.reach*m.sigma*Math.sqrt(h), one = m.reach*m.sigma*Math.sqrt(1 + h);
  return {mean, outside, unusual: !outside.length && h > m.most*(1 + 1e-9), low: mean - half, high: mean + half,
          lowOne: mean - one, highOne: mean + one};
}

/** The second place minus the first. */
function between(m, a, b) {
  const d = m.names.map(n => b[n] - a[n]), mean = d.reduce((s, v, i) => s + v*m.coefs[i], 0);
  if (!m.inv) return {mean, low: null, high: null};
  const half = m.reach*m.sigma*Math.sqrt(Math.max(distance(m.inv, d), 0));
  return {mean, low: mean - half, high: mean + half};
}

/** A probability after something was seen that is `factor` times as likely if it is true. */
const revised = (p, factor) => p*factor/(p*factor + 1 - p);
const expected = (p, c, action) => p*c[`relation_${action}`] + (1 - p)*c[`none_${action}`];

/** What was typed as a number, or as it is; a comma and a long minus will do. */
function typedNumber(text) {
  const plain = text.trim().replace(',', '.').replace('−', '-');
  return plain && Number.isFinite(Number(plain)) ? Number(plain) : text;
}

const SIGNS = {a: '●', b: '■'}, CASE_WORDS = {relation: 'it is real', none: 'it is not'}, ACTIONS = {act: 'act', dont: 'do not'};
const SAID = ['a', 'b', 'a_far', 'b_far', 'gap', 'rest', 'acting', 'belief', 'decision', 'costs'];
const SHORT = [[1e9, ' bn'], [1e6, 'M'], [1e3, 'k']];
/** Four digits of a cost, as `say_short` in Python writes them at the axis. */
function short(v) {
  const round = Number(v.toPrecision(4)), size = Math.abs(round);
  const [unit, name] = SHORT.find(([u]) => size >= Math.max(u, 1e4) && size < 1e15) ?? [1, ''];
  return fmt(round/unit) + name;
}
const percentText = p => `${fmt(100*p, 3)} %`;

// ---- The view

class PracticalView {
  constructor({model, el: holder}) {
    Object.assign(this, {model, dragging: false, now: structuredClone(model.get('state').setting), refused: null});
    this.root = makeRoot({model, el: holder}, {
      label: 'Practical significance',
      hint: 'Keys: S swap A and B, M other model, Ctrl+Z undo, Ctrl+Y redo, R reset; on a slider the arrows and Page keys',
      keys: {s: () => this.do('swap'), m: () => this.otherModel(), r: () => this.do('reset'), 'Ctrl+z': () => this.do('undo'),
             'Ctrl+y': () => this.do('redo'), 'Ctrl+Shift+z': () => this.do('redo')}});
    this.root.root.classList.add('cw-practical');
    this.line = new Line(model, busy => this.root.warn(busy ? BUSY : this.state.message));
    this.build();
    this.listeners = {'change:state': () => this.heard(), 'change:background': () => this.background(), 'change:rested': () => this.exact()};
    for (const [name, f] of Object.entries(this.listeners)) model.on(name, f);
    this.background();
    this.heard();
    this.exact();
  }
  get state() { return this.model.get('state'); }
  get fitted() { return this.state.models[this.now.model]; }
  get belief() { return revised(this.now.prior, this.state.factors[this.now.study]); }

  // What there is to see

  build() {
    this.strips = this.state.strips.map(({label, ...part}) => new Strip(label, part));
    this.strips[0].painter = ctx => this.paintPlaces(ctx);
    this.strips[1].painter = ctx => this.paintCosts(ctx);
    this.code = codeBox(this.line);
    this.words = Object.fromEntries(SAID.map(k => [k, el('p', {class: `cw-say-${k}`})]));
    this.root.body(this.head(),
      el('div', {class: 'cw-columns'}, el('div', {class: 'cw-wide'}, this.strips[0].node, this.bandLegend()), this.places()), this.placeWords(),
      el('div', {class: 'cw-title', role: 'heading', 'aria-level': 3}, 'And if one acts on it?'),
      el('div', {class: 'cw-columns'}, el('div', {class: 'cw-wide'}, this.strips[1].node, this.costLegend()), this.stakes()),
      el('div', {class: 'cw-practical-words cw-practical-end'}, this.words.decision, this.words.belief, this.words.acting), this.code.node);
    this.costs.relation_act.closest('.cw-panel').append(this.root.message);  // near what can be wrong
    this.dragPrior();
  }
  head() {
    const several = Object.entries(this.state.models).map(([k, m]) => [k, m.title]);
    this.which = choice('model', several, this.now.model, v => this.settled({model: v}));
    this.equation = el('code', {class: 'cw-codenote'});
    return el('div', {class: 'cw-row cw-practical-head'}, several.length > 1 ? this.which : null, this.equation);
  }
  /** The sliders of both places. */
  places() {
    this.sliders = {}; this.figures = {}; this.marks = {};
    this.undo = button('↶ Undo', () => this.do('undo'), {title: 'Ctrl+Z'});
    this.redo = button('↷ Redo', () => this.do('redo'), {title: 'Ctrl+Y'});
    return el('div', {class: 'cw-panel cw-practical-panel'}, ...['a', 'b'].map(k => this.place(k)), el('div', {class: 'cw-row'}, this.undo, this.redo,
      button('⇅ Swap', () => this.do('swap'), {title: 'S: A becomes B'}),
      button('Reset', () => this.do('reset'), {title: 'R: the places and costs at the beginning'})));
  }
  place(k) {
    this.figures[k] = el('span', {class: 'cw-figure'});
    this.marks[k] = {};
    this.sliders[k] = this.state.names.map(n => this.input(k, n));
    const band = this.figures[`${k}_band`] = el('span', {class: 'cw-note'});
    return el('div', {class: `cw-place cw-place-${k}`, role: 'group', 'aria-label': `place ${k.toUpperCase()}`},
      el('div', {class: 'cw-row'}, el('span', {class: 'cw-place-name'}, el('i', {'aria-hidden': 'true'}, SIGNS[k]), ` ${k.toUpperCase()}`),
        el('span', {class: 'cw-note'}, `${this.state.outcome} =`), this.figures[k], band),
      ...this.sliders[k].map(s => s.node));
  }
  /** One slider, and below it how far the data reach. */
  input(k, n) {
    const {ranges, units, covered} = this.state, [lo, hi, step] = ranges[n], unit = units[n] ? `, ${units[n]}` : '';
    const s = slider(n, {lo, hi, step, value: this.now[k][n], label: `${n}${unit}`},
      v => this.moved({[k]: {[n]: v}}), v => this.settled({[k]: {[n]: v}}));
    for (const control of [s.range, s.box]) control.setAttribute('aria-label', `${k.toUpperCase()}: ${control.getAttribute('aria-label')}`);
    const reach = covered[n] ? `the data reach from ${fmt(covered[n][0], 3)} to ${fmt(covered[n][1], 3)}` : '';
    const bar = el('div', {class: 'cw-covered', title: reach}, el('i'));
    const words = el('span', {class: 'cw-covered-words'});
    s.node.querySelector('.cw-hint').replaceWith(bar, words);
    this.marks[k][n] = {bar, words};
    return s;
  }
  placeWords() {
    const w = this.words, name = k => el('b', {}, `${SIGNS[k]} ${k.toUpperCase()}`);
    const of = k => el('div', {class: `cw-said-of cw-place-${k}`}, name(k), el('div', {}, w[k], w[`${k}_far`]));
    const both = el('div', {class: `cw-said-both ${this.state.spread ? '' : 'cw-said-short'}`}, of('a'), of('b'));
    return el('div', {class: 'cw-practical-words'}, both, w.gap, w.rest);
  }
  bandLegend() {
    this.bands = el('span', {}, 'thick band: the mean of such places, 95 % · thin line: one new place, 95 % · ');
    return el('div', {class: 'cw-note'}, this.bands, 'hollow: beyond the data');
  }
  costLegend() {
    const lines = legend([{name: 'act', colour: 'var(--c-data)'}, {name: 'do not act', colour: 'var(--c-curve)', dash: true},
      {name: 'your probability (drag it)', colour: 'var(--c-descent)'}]);
    lines.append(el('span', {}, '◆ break-even'));
    return lines;
  }
  /** The prior, the study and the four costs. */
  stakes() {
    this.prior = slider('prior', {lo: 0, hi: 1, step: .01, value: this.now.prior, label: 'prior'}, 
      v => this.moved({prior: v}), v => this.settled({prior: v}));
    this.prior.node.querySelector('.cw-hint').textContent = 'how likely the relation is, as far as you know';
    this.study = choice('evidence', Object.entries(this.state.studies), this.now.study, v => this.settled({study: v}));
    return el('div', {class: 'cw-panel cw-practical-panel'}, this.prior.node, this.study, this.costTable(), this.words.costs);
  }
  costTable() {
    this.costs = {}; this.average = {};
    const box = (fact, action) => el('td', {}, this.costs[`${fact}_${action}`] = this.costBox(fact, action));
    const row = fact => el('tr', {}, el('th', {scope: 'row'}, CASE_WORDS[fact]), box(fact, 'act'), box(fact, 'dont'));
    const output = action => this.average[action] = el('output', {class: 'cw-average', 'aria-label': `expected cost, ${ACTIONS[action]}`});
    const mean = action => el('td', {}, output(action)), head = ['the relation:', 'act', 'do not act'].map(t => el('th', {scope: 'col'}, t));
    return el('table', {class: 'cw-costs'}, el('caption', {}, 'What each outcome costs (lives, money …; a gain is below 0)'),
      el('thead', {}, el('tr', {}, ...head)),
      el('tbody', {}, row('relation'), row('none'),
        el('tr', {class: 'cw-costs-mean'}, el('th', {scope: 'row'}, 'on average'), mean('act'), mean('dont'))));
  }
  costBox(fact, action) {
    const key = `${fact}_${action}`, label = `cost: ${fact === 'relation' ? 'relation' : 'no relation'}, ${action === 'act' ? 'act' : 'do not act'}`;
    const box = el('input', {type: 'text', inputmode: 'decimal', class: 'cw-number', 'aria-label': label, spellcheck: 'false', autocomplete: 'off'});
    const tell = how => this[how]({costs: {[key]: typedNumber(box.value)}});
    box.addEventListener('input', () => { if (typeof typedNumber(box.value) === 'number') tell('moved'); });
    const settle = () => { clearTimeout(box.timer); box.timer = null; this.refused = null; this.asking = key; tell('settled'); };
    box.addEventListener('change', settle);
    box.addEventListener('keydown', e => this.stepCost(e, box, settle));
    return Object.assign(box, {flush: () => { if (box.timer) settle(); }});
  }
  /** The arrows make a cost one larger or smaller, Page keys ten; a run of them is one move. */
  stepCost(e, box, settle) {
    const by = {ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10}[e.key], at = typedNumber(box.value);
    if (!by || typeof at !== 'number') return;
    e.preventDefault();
    box.value = Number((at + by).toPrecision(10));
    box.dispatchEvent(new Event('input'));
    clearTimeout(box.timer);
    box.timer = setTimeout(settle, 350);
  }

  // What the hand does

  merge(changes) {
    for (const [k, v] of Object.entries(changes)) this.now[k] = v !== null && typeof v === 'object' ? {...this.now[k], ...v} : v;
  }
  /** Something on its way: drawn at once, and told to Python ten times a second, for the words. */
  moved(changes) {
    this.merge(changes);
    this.dragging = true;
    this.strips[changes.a || changes.b ? 0 : 1].move();
    this.numbers();
    this.passing = {...this.passing, ...Object.fromEntries(Object.keys(changes).map(k => [k, this.now[k]]))};
    this.telling ??= setTimeout(() => this.tell(), 100);
  }
  tell() {
    this.telling = null;
    this.line.latest('drag', {changes: this.passing});
  }
  hush() { clearTimeout(this.telling); this.telling = null; this.passing = {}; this.dragging = false; }
  settled(changes) {
    this.hush();
    this.line.send('set', {changes});
  }
  /** Before anything else happens, key moves that are under way are made. */
  do(what) {
    [...this.sliders.a, ...this.sliders.b, this.prior, ...Object.values(this.costs)].forEach(s => s.flush());
    this.hush();
    this.line.send(what);
  }
  otherModel() {
    const all = Object.keys(this.state.models);
    if (all.length > 1) this.settled({model: all[(all.indexOf(this.now.model) + 1) % all.length]});
  }
  /** The probability can be dragged in the chart too; with a study counted, the prior that leads there is meant. */
  dragPrior() {
    const plot = this.strips[1], whole = plot.node, place = e => {
      const box = whole.getBoundingClientRect(), a = this.state.axes[1];
      return a.x[0] + ((e.clientX - box.left)*this.state.size[0]/box.width - a.left)/a.width*(a.x[1] - a.x[0]);
    };
    const prior = e => Number(revised(Math.min(Math.max(place(e), 0), 1), 1/this.state.factors[this.now.study]).toFixed(3));
    const move = e => { this.prior.value = prior(e); this.moved({prior: prior(e)}); };
    whole.classList.add('cw-practical-chart');
    whole.addEventListener('pointerdown', e => {
      if (place(e) < -.02 || place(e) > 1.02 || e.button) return;
      e.preventDefault();
      whole.setPointerCapture(e.pointerId);
      this.held = true;
      move(e);
    });
    whole.addEventListener('pointermove', e => { if (this.held) move(e); });
    for (const end of ['pointerup', 'pointercancel']) whole.addEventListener(end, e => {
      if (!this.held) return;
      this.held = false;
      this.settled({prior: prior(e)});
    });
  }

  // What Python says

  heard() {
    const s = this.state;
    if (!this.dragging && this.line.idle) this.take(s);
    this.undo.disabled = !s.can_undo;
    this.redo.disabled = !s.can_redo;
    this.root.warn(s.message);
    this.code.show(s.code);
    for (const [k, node] of Object.entries(this.words)) { setText(node, s.words[k]); node.hidden = !s.words[k]; }
    this.numbers();
    const at = JSON.stringify(s.setting);
    if (at !== this.at && !this.dragging) this.strips.forEach(p => p.move());  // else matplotlib's picture may stay
    this.at = at;
  }
  /** Python's setting in place of ours: nothing is on its way. A cost that it refused stays as it was typed. */
  take(s) {
    this.now = structuredClone(s.setting);
    if (this.asking && s.message) this.refused = this.asking;
    this.asking = null;
    for (const k of ['a', 'b']) for (const t of this.sliders[k]) t.set(s.setting[k][t.name], ...s.ranges[t.name]);
    this.prior.set(s.setting.prior, 0, 1);
    this.which.box.value = s.setting.model;
    this.study.box.value = s.setting.study;
    for (const [k, box] of Object.entries(this.costs)) this.showCost(k, box, s.setting.costs[k]);
    this.root.say(`${s.words.gap} ${s.words.decision}`);
    this.strips.forEach(p => p.canvas.setAttribute('aria-label', s.alt));
  }
  showCost(key, box, cost) {
    const refused = key === this.refused;
    box.setAttribute('aria-invalid', refused);
    if (!refused && typedNumber(box.value) !== cost) box.value = Number(cost.toPrecision(10));
  }
  background() { this.strips.forEach(p => p.background(this.model.get('background'), this.state.size, this.state.axes)); }
  exact() { this.strips.forEach(p => p.exact(this.model.get('exact'), () => !this.dragging && this.line.idle)); }

  // What the eye sees

  /** All numbers that the browser can work out by itself. */
  numbers() {
    setText(this.equation, this.fitted.equation);
    this.bands.hidden = !this.fitted.inv;
    for (const k of ['a', 'b']) this.placeNumbers(k, ask(this.fitted, this.now[k]));
    const p = this.belief, costs = Object.keys(ACTIONS).map(a => expected(p, this.now.costs, a));
    Object.keys(ACTIONS).forEach((a, i) => {
      const best = costs[i] < costs[1 - i];
      setText(this.average[a], `${short(costs[i])}${best ? ' ★' : ''}`);
      this.average[a].classList.toggle('cw-best', best);
    });
    this.prior.range.setAttribute('aria-valuetext', percentText(this.now.prior));
    if (!this.prior.dragging) this.prior.set(this.now.prior, 0, 1);
  }
  placeNumbers(k, said) {
    setText(this.figures[k], fmt(said.mean, 3));
    this.figures[k].dataset.value = said.mean;
    setText(this.figures[`${k}_band`], said.low === null ? 'no band is known' : `${fmt(said.low, 3)} to ${fmt(said.high, 3)}`);
    for (const s of this.sliders[k]) this.coverage(this.marks[k][s.name], s, this.now[k][s.name], said);
  }
  /** The bar of what the data cover, and a word where a slider is beyond it. */
  coverage({bar, words}, s, v, said) {
    const range = this.fitted.ranges[s.name], part = x => `${100*Math.min(Math.max((x - s.lo)/(s.hi - s.lo), 0), 1)}%`;
    bar.style.visibility = range ? '' : 'hidden';
    if (range) { bar.firstChild.style.left = part(range[0]); bar.firstChild.style.right = `calc(100% - ${part(range[1])})`; }
    const out = said.outside.includes(s.name);
    setText(words, out ? '⚠ outside' : said.unusual ? '⚠ unusual' : range ? 'data' : 'not known');
    words.classList.toggle('cw-warned', out || said.unusual);
  }
  paintPlaces(ctx) {
    const c = this.state.colours, plot = this.strips[0], said = ['a', 'b'].map(k => ask(this.fitted, this.now[k]));
    said.forEach((p, i) => {
      const y = 2.5 - i, colour = i ? c.curve : c.data;
      plot.line(ctx, [p.mean, p.mean], [y, .5], {colour: c.faint, width: 1, dash: [1, 2]});
      if (p.low !== null) {
        plot.line(ctx, [p.lowOne, p.highOne], [y, y], {colour, width: 1.5});
        plot.line(ctx, [p.low, p.high], [y, y], {colour, width: 10, alpha: .4});
      }
      plot.marker(ctx, p.mean, y, {colour, shape: i ? 's' : 'o', hollow: p.outside.length > 0 || p.unusual});
    });
    this.paintGap(ctx, plot, said[0].mean, between(this.fitted, this.now.a, this.now.b), c.ink);
  }
  /** An arrow from A to B on the same axis; the band is how surely the difference is known. */
  paintGap(ctx, plot, from, gap, colour) {
    if (gap.low !== null) plot.line(ctx, [from + gap.low, from + gap.high], [.5, .5], {colour, width: 10, alpha: .3});
    plot.line(ctx, [from, from + gap.mean], [.5, .5], {colour, width: 1.5});
    plot.marker(ctx, from, .5, {colour, size: 4, edge: 0});
    if (gap.mean) plot.marker(ctx, from + gap.mean, .5, {colour, shape: gap.mean > 0 ? '>' : '<', size: 8, edge: 0});
  }
  paintCosts(ctx) {
    const c = this.state.colours, plot = this.strips[1], costs = this.now.costs, p = this.belief;
    const both = [['act', c.data, []], ['dont', c.curve, [3.7, 1.6]]], [lo, hi] = this.state.axes[1].y;
    const differ = ['relation', 'none'].map(f => costs[`${f}_act`] - costs[`${f}_dont`]), at = differ[1]/(differ[1] - differ[0]);
    for (const [action, colour, dash] of both) {
      plot.line(ctx, [0, 1], [expected(0, costs, action), expected(1, costs, action)], {colour, dash, width: 2, k: 1});
    }
    if (at >= 0 && at <= 1) {
      plot.line(ctx, [at, at], [lo, expected(at, costs, 'act')], {colour: c.ink, width: 1, dash: [1, 1.65], k: 1});
      plot.marker(ctx, at, expected(at, costs, 'act'), {colour: c.ink, shape: 'D', size: 6, edge: 0, k: 1});
    }
    if (this.now.study !== 'none') plot.line(ctx, [this.now.prior, this.now.prior], [lo, hi], {colour: c.faint, width: 1.5, dash: [1, 1.65], k: 1});
    plot.line(ctx, [p, p], [lo, hi], {colour: c.descent, width: 2, k: 1});
    for (const [action, colour] of both) plot.marker(ctx, p, expected(p, costs, action), {colour, size: 7, edge: 0, k: 1});
    this.paintBars(ctx, plot, both.map(([action, colour]) => [expected(p, costs, action), colour]));
  }
  /** The two expected costs as bars, beside the lines and as high as they are; a mark above the cheaper one. */
  paintBars(ctx, plot, bars) {
    const zero = plot.Y(0, 2);
    bars.forEach(([cost, colour], i) => plot.clip(ctx, () => {
      const [l, r, y] = [plot.X(i - .32, 2), plot.X(i + .32, 2), plot.Y(cost, 2)];
      ctx.globalAlpha = .75; ctx.fillStyle = colour;
      ctx.fillRect(l, Math.min(y, zero), r - l, Math.abs(zero - y));
    }, 2));
    if (bars[0][0] === bars[1][0]) return;
    const best = bars[0][0] < bars[1][0] ? 0 : 1, a = this.state.axes[2];
    const above = Math.max(bars[best][0], 0) + 12/a.height*(a.y[1] - a.y[0]);
    plot.marker(ctx, best, above, {colour: this.state.colours.ink, shape: 'v', size: 8, edge: 0, k: 2});
  }
  close() {
    this.hush();
    this.line.close();
    this.root.close();
    this.strips.forEach(s => s.close());
    [...this.sliders.a, ...this.sliders.b, this.prior].forEach(s => s.close());
    Object.values(this.costs).forEach(box => clearTimeout(box.timer));
    for (const [name, f] of Object.entries(this.listeners)) this.model.off(name, f);
  }
}

export default {render(context) { const view = new PracticalView(context); return () => view.close(); }};
