// Polynomials of every degree over data: PolynomialFitter. The object behind it is PolynomialStudy.

/** A sum of Chebyshev polynomials at t, by Clenshaw's rule. */
function chebyshev(coefs, t) {
  let a = 0, b = 0;
  for (let k = coefs.length - 1; k > 0; k--) [a, b] = [coefs[k] + 2*t*a - b, a];
  return coefs[0] + t*a - b;
}

/** Losses over the degree; the validation loss has squares. */
class DegreeChart extends Chart {
  line(ctx, s, X, Y) {
    super.line(ctx, s, X, Y);
    if (s.square) s.ys.forEach((v, i) => { if (Number.isFinite(v)) ctx.strokeRect(X(i) - 3, Y(v) - 3, 6, 6); });
  }
}

const WORDS = {underfits: '↘ underfits', fits: '✓ fits', overfits: '↯ overfits'};

class PolynomialView {
  constructor({model, el: holder}) {
    Object.assign(this, {model, dragging: false, changes: {}});
    this.now = {...this.state.settings};
    this.root = makeRoot({model, el: holder}, {
      label: 'Fit polynomials of every degree',
      hint: 'Keys: ← → degree, Space play, B best, N new data, Ctrl+Z undo, Ctrl+Y redo, R reset; on a slider the arrows and Page keys',
      keys: {' ': () => this.play(p => p.toggle()), ArrowLeft: () => this.play(p => p.step(-1)), ArrowRight: () => this.play(p => p.step(1)),
             b: () => this.do('best'), n: () => this.do('draw'), r: () => this.do('reset'),
             'Ctrl+z': () => this.do('undo'), 'Ctrl+y': () => this.do('redo'), 'Ctrl+Shift+z': () => this.do('redo')}});
    this.line = new Line(model, busy => this.root.warn(busy ? BUSY : this.state.message));
    this.build();
    this.listeners = {'change:state': () => this.heard(), 'change:background': () => this.background(), 'change:rested': () => this.exact(),
      'change:tables': () => this.show()};
    for (const [name, f] of Object.entries(this.listeners)) model.on(name, f);
    this.background();
    this.heard();
    this.exact();
  }
  get state() { return this.model.get('state'); }
  /** The fits to the present data with every penalty; none while these data are new. */
  get tables() { const {of, all} = this.model.get('tables'); return String(of) === String(this.state.of) ? all : {}; }
  /** The fits with the present penalty; until they are known, those that Python told last. */
  get table() { return this.tables[this.now.penalty] || this.state.table; }

  build() {
    const s = this.state;
    this.plot = new Plot(s.alt);
    this.plot.painter = ctx => this.paint(ctx);
    this.degree = player(s.max_degree + 1, i => this.atDegree(i), {fps: 2, label: 'degree'});
    this.word = el('span', {class: 'cw-figure'});
    this.losses = el('div', {class: 'cw-losses'});
    this.text = el('div', {class: 'cw-verdict'});
    this.sliders = this.makeSliders();
    this.undo = button('↶ Undo', () => this.do('undo'), {title: 'Ctrl+Z'});
    this.redo = button('↷ Redo', () => this.do('redo'), {title: 'Ctrl+Y'});
    this.chart = new DegreeChart('loss over the degree', {xlabel: 'degree', ylabel: 'mean squared error', log: true, width: 400, height: 170});
    this.code = codeBox(this.line);
    this.key = el('div');
    const buttons = el('div', {class: 'cw-row'}, this.undo, this.redo,
      button('★ Best degree', () => this.do('best'), {title: 'B: the lowest validation loss'}),
      button(s.own ? 'Other split' : 'New data', () => this.do('draw'), {title: s.own ? 'N: keep other points back' : 'N: draw new data'}),
      button('Reset', () => this.do('reset'), {title: 'R: back to the start, with the same data'}));
    const sliders = el('div', {class: 'cw-nohints'}, ...this.sliders.map(t => t.node));
    const panel = el('div', {class: 'cw-panel'}, this.word, this.losses, this.chart.node, sliders, buttons);
    const wide = el('div', {class: 'cw-wide'}, this.plot.node, this.key, this.degree.node, this.text);
    this.root.body(el('div', {class: 'cw-columns'}, wide, panel), this.code.node);
  }
  makeSliders() {
    const s = this.state, make = (name, label, whole) => {
      const [lo, hi] = s.ranges[name];
      return slider(name, {lo, hi, value: this.now[name], whole, label, step: whole ? 1 : .1}, v => this.moved(name, v), () => this.settled());
    };
    const penalty = make('penalty', 'penalty', true);
    penalty.box.hidden = true;
    this.strength = el('output', {class: 'cw-strength'});
    penalty.box.after(this.strength);
    return s.own ? [penalty] : [make('n', 'points', true), make('noise', 'noise', false), penalty];
  }

  // What the hand does
  /** The degree: drawn at once from what is known; told to Python when it stays. */
  atDegree(i) {
    if (!this.degree || this.now.degree === i) return;
    this.change('degree', i);
    this.show();
    this.plot.move();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.rested(), 350);
  }
  /** Python hears only what the hand has changed: the rest may be on its way here. */
  change(name, value) {
    this.now = {...this.now, [name]: value};
    this.changes = {...this.changes, [name]: value};
    this.dragging = true;
  }
  rested() {
    if (this.degree.playing) { this.timer = setTimeout(() => this.rested(), 350); return; }
    this.settled();
  }
  moved(name, value) {
    const [lo, hi] = this.state.ranges[name];
    this.change(name, Math.min(Math.max(value, lo), hi));
    if (name !== 'penalty' || !this.tables[this.now.penalty]) this.line.latest('drag', {settings: this.changes});
    this.show();
    this.plot.move();
  }
  settled() {
    clearTimeout(this.timer);
    this.dragging = false;
    this.line.send('move', {settings: this.changes});
    this.changes = {};
  }
  /** A slider that is still held by keys is settled first, so that what follows comes after it. */
  flush() { for (const s of this.sliders) s.flush(); }
  play(what) { this.flush(); what(this.degree); }
  do(what) {
    this.flush();
    this.degree.pause();
    if (this.dragging) this.settled();
    this.line.send(what);
  }

  // What Python says
  heard() {
    const s = this.state;
    if (!this.dragging && this.line.idle) {
      this.now = {...s.settings};
      if (this.degree.i !== s.settings.degree) this.degree.show(s.settings.degree);
      this.sliders.forEach(t => t.set(s.settings[t.name], ...s.ranges[t.name]));
      if (this.text.textContent !== this.table.words[this.now.degree]) this.root.say(this.table.words[this.now.degree]);
      this.plot.canvas.setAttribute('aria-label', s.alt);
    }
    this.undo.disabled = !s.can_undo;
    this.redo.disabled = !s.can_redo;
    this.root.warn(s.message);
    this.code.show(s.code);
    this.colours();
    this.show();
    this.plot.move();
  }
  background() { this.plot.background(this.model.get('background'), this.state.size, this.state.axes); }
  exact() { this.plot.exact(this.model.get('exact'), () => !this.dragging && !this.degree.playing && this.line.idle); }
  /** What the marks stand for; again when the theme has changed. */
  colours() {
    const c = this.state.colours;
    if (this.painted === c.data) return;
    this.painted = c.data;
    const square = el('span', {}, el('i', {class: 'cw-square', style: `border-color:${c.other}`}), 'kept back (validation)');
    const names = legend([{name: 'fitted to (training)', colour: c.data, dot: true}]);
    names.append(square, ...legend([{name: 'the fit', colour: c.curve},
      ...(this.state.own ? [] : [{name: 'where the points come from', colour: c.faint, dash: true}])]).children);
    this.key.replaceChildren(names);
  }

  // What the eye sees
  show() {
    const s = this.state, c = s.colours, t = this.table, d = this.now.degree;
    this.word.textContent = WORDS[t.verdicts[d]];
    const told = [['● training', fmt(t.train[d], 3)], ['□ validation', fmt(t.valid[d], 3)], ['turns', t.wiggles[d]], ['★ best degree', t.best]];
    this.losses.replaceChildren(...told.map(([name, value]) => el('span', {}, `${name} `, el('b', {}, value))));
    this.text.textContent = t.words[d];
    const l2 = s.penalties[this.now.penalty];
    this.strength.textContent = l2 ? fmt(l2) : 'none';
    this.sliders.at(-1).range.setAttribute('aria-valuetext', l2 ? fmt(l2) : 'none');
    const low = Math.min(...t.valid)/100, clip = ys => ys.map(v => v === null ? NaN : Math.min(Math.max(v, low), low*1e9));
    this.chart.set([{ys: clip(t.train), colour: c.data, marks: true}, {ys: clip(t.valid), colour: c.other, dash: [5, 3], square: true, best: t.best}],
      {cursor: d, words: `degree ${d}: training ${fmt(t.train[d], 3)}, validation ${fmt(t.valid[d], 3)}, best degree ${t.best}`});
    this.plot.draw();
  }
  paint(ctx) {
    const s = this.state, c = s.colours, [lo, hi] = s.span, coefs = this.table.coefs[Math.min(this.now.degree, s.max_degree)];
    if (!s.own) this.plot.curve(ctx, x => (s.truth[0]*x + s.truth[1])*x + s.truth[2], {lo, hi, colour: c.faint, width: 1.5, dash: [3.7, 1.6]});
    this.plot.curve(ctx, x => chebyshev(coefs, (2*x - lo - hi)/(hi - lo || 1)), {lo, hi, colour: c.curve, width: 2.5});
    this.plot.clip(ctx, () => s.x.forEach((x, i) => this.point(ctx, this.plot.X(x), this.plot.Y(s.y[i]), s.valid[i], c)));
  }
  /** Sizes as matplotlib has them: a disc of 5.5 points, a square of 6.5. */
  point(ctx, x, y, kept, c) {
    const px = 100/72;
    if (!kept) { ctx.fillStyle = c.data; ctx.beginPath(); ctx.arc(x, y, 3*px, 0, 7); ctx.fill(); return; }
    ctx.strokeStyle = c.other; ctx.lineWidth = 1.6*px;
    ctx.strokeRect(x - 3.25*px, y - 3.25*px, 6.5*px, 6.5*px);
  }
  close() {
    clearTimeout(this.timer);
    for (const s of [...this.sliders, this.degree]) s.close();
    this.line.close();
    this.root.close();
    this.plot.close();
    for (const [name, f] of Object.entries(this.listeners)) this.model.off(name, f);
  }
}

export default {render(context) { const view = new PolynomialView(context); return () => view.close(); }};
