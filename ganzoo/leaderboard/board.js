"use strict";
// Tables that sort, filter and open their rows, and what differs between two configurations. Text is only ever set as
// text, so nothing of a run can become a tag.

const CHUNK = 100;  // rows that are added when the end of the table comes near: 10,000 at once would take seconds
const CUT = 120;  // characters of a cell; the rest is in its title, and the opened row has all of it

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function dataOf(place) {
  return JSON.parse(place.querySelector("script").textContent);
}

function cut(text) {
  return text.length > CUT ? text.slice(0, CUT) + "…" : text;
}

// A cell is a text, [text, value to sort by, title], or {text, href}.
const textOf = (cell) => Array.isArray(cell) ? cell[0] : cell.text ?? cell;
const valueOf = (cell) => Array.isArray(cell) ? cell[1] : textOf(cell) || null;

function cellOf(cell, whole) {
  const text = textOf(cell), shown = whole ? text : cut(text);
  const content = cell.href ? element("a", {href: cell.href}, shown) : shown;
  const td = element("td", {}, whole && text.length > 40 ? element("div", {className: "whole"}, content) : content);
  const title = (Array.isArray(cell) && cell[2]) || (shown === text ? "" : text);
  if (title) td.title = title;
  return td;
}

const words = new Intl.Collator("en", {numeric: true});

function compared(one, other) {
  return typeof one === "number" && typeof other === "number" ? one - other : words.compare(one, other);
}

class Table {
  constructor(place, data, within) {
    Object.assign(this, {place, data, within, rows: data.rows, column: -1, down: false, shown: 0});
    this.body = element("tbody");
    this.heads = data.columns.map((column, index) => this.head(column, index));
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...this.heads)), this.body);
    if (within) place.append(table, this.rest());
    else place.append(this.controls(), this.scrolling(table));
    this.fill();
  }

  scrolling(table) {
    this.scroller = element("div", {className: "rows", tabIndex: 0, role: "region", ariaLabel: this.data.name}, table);
    this.scroller.addEventListener("scroll", () => this.nearEnd() && this.more(), {passive: true});
    return this.scroller;
  }

  // An opened row is within the table that scrolls: there, a button brings the next runs.
  rest() {
    return this.next = element("button", {type: "button", className: "more", onclick: () => this.more()});
  }

  head(column, index) {
    const button = element("button", {type: "button", title: column.about ?? "", onclick: () => this.sort(index)},
      cut(column.name));
    const head = element("th", {scope: "col", className: index === this.data.opens ? "name" : ""}, button,
      this.data.columns.some(({below}) => below) ? element("small", {}, column.below ?? "") : "");
    head.ariaSort = "none";
    return head;
  }

  controls() {
    const statuses = [...new Set(this.data.rows.flatMap((row) => row.statuses ?? []))].sort();
    this.search = element("input", {type: "search", placeholder: "Filter", oninput: () => this.fill()});
    this.search.ariaLabel = "Filter the rows of " + this.data.name;
    const options = statuses.map((status) => new Option("with " + status, status));
    this.status = element("select", {onchange: () => this.fill(), hidden: !statuses.length},
      new Option("any status", ""), ...options);
    this.status.ariaLabel = "Rows with runs of that status";
    this.count = element("span", {className: "soft", role: "status"});
    return element("p", {className: "controls"}, this.search, this.status, this.count);
  }

  // The first click on a score brings the best to the top; what has no value stays at the bottom either way.
  sort(index) {
    this.down = index === this.column ? !this.down : Boolean(this.data.columns[index].down);
    this.column = index;
    this.heads.forEach((head, at) => {
      head.ariaSort = at !== index ? "none" : this.down ? "descending" : "ascending";
    });
    this.fill();
  }

  matching() {
    const asked = this.search?.value.toLowerCase().split(/\s+/).filter(Boolean) ?? [], status = this.status?.value;
    const found = (row) => (row.searched ??= row.cells.map(textOf).join("\n").toLowerCase());
    return this.data.rows.filter((row) =>
      (!status || row.statuses.includes(status)) && asked.every((word) => found(row).includes(word)));
  }

  fill() {
    this.rows = this.matching();
    if (this.column >= 0) {
      const value = (row) => valueOf(row.cells[this.column]), sign = this.down ? -1 : 1;
      const having = this.rows.filter((row) => value(row) !== null).sort((a, b) => sign * compared(value(a), value(b)));
      this.rows = [...having, ...this.rows.filter((row) => value(row) === null)];
    }
    this.body.replaceChildren();
    this.shown = 0;
    this.more();
    if (this.within) return;
    this.scroller.scrollTop = 0;
    while (this.nearEnd()) this.more();
    const all = this.data.rows.length, rows = this.rows.length;
    this.count.textContent = rows === all ? `${all} row${all === 1 ? "" : "s"}` : `${rows} of ${all} rows`;
  }

  nearEnd() {
    const {scrollTop, clientHeight, scrollHeight} = this.scroller;
    return this.shown < this.rows.length && scrollTop + 2 * clientHeight > scrollHeight;
  }

  more() {
    const next = this.rows.slice(this.shown, this.shown + CHUNK);
    this.body.append(...next.flatMap((row) => this.row(row)));
    this.shown += next.length;
    if (!this.next) return;
    const left = this.rows.length - this.shown;
    this.next.hidden = !left;
    this.next.textContent = `${Math.min(left, CHUNK)} more of ${this.rows.length} runs`;
  }

  row(row) {
    const made = element("tr", {className: row.kind ?? ""}, ...row.cells.map((cell) => cellOf(cell, this.within)));
    if (!row.runs) return [made];
    const name = made.children[this.data.opens], label = name.textContent;
    const onclick = () => this.toggle(row, made, button);
    const button = element("button", {type: "button", className: "opens", onclick}, label);
    button.ariaExpanded = "false";
    name.className = "name";
    name.replaceChildren(button);
    if (row.open) this.toggle(row, made, button, true);
    return row.open ? [made, row.below] : [made];
  }

  toggle(row, made, button, again = false) {
    row.open = again || !row.open;
    button.ariaExpanded = String(row.open);
    if (!row.open) return row.below.remove();
    row.below ??= this.runsOf(row);
    if (!again) made.after(row.below);
  }

  runsOf(row) {
    const inside = element("div", {className: "inside"});
    if (row.about !== cut(row.about)) inside.append(element("p", {className: "whole"}, row.about));
    new Table(inside, {columns: this.data.runs, rows: row.runs}, true);
    return element("tr", {className: "below"}, element("td", {colSpan: this.data.columns.length}, inside));
  }
}

// What differs between two rows' configurations: {tables: their titles and how many groups each has, labels, keys,
// values: for each label, one for each key}.
function comparison(place) {
  const {tables, labels, keys, values} = dataOf(place);
  const named = labels.map((label, index) => [cut(label), index]);
  const starts = tables.map((_, at) => tables.slice(0, at).reduce((sum, {groups}) => sum + groups, 0));
  const optionsOf = (from, count) => named.slice(from, from + count).map((name) => new Option(...name));
  const options = () => tables.length < 2 ? optionsOf(0, labels.length) : tables.map(({title, groups}, at) =>
    element("optgroup", {label: cut(title)}, ...optionsOf(starts[at], groups)));
  const selects = ["one", "other"].map((name, index) => {
    const select = element("select", {name, onchange: () => show()}, ...options());
    select.ariaLabel = index ? "with this group" : "Compare this group";
    select.selectedIndex = Math.min(index, labels.length - 1);
    return select;
  });
  const result = element("div", {className: "rows", tabIndex: 0, role: "region", ariaLabel: "Settings that differ"});
  function show() {
    const [one, other] = selects.map((select) => select.selectedIndex);
    const different = keys.map((key, at) => [key, values[one][at], values[other][at]]).filter(([, a, b]) => a !== b);
    const head = ["setting", labels[one], labels[other]].map((name) => element("th", {scope: "col"}, cut(name)));
    const rows = different.map((cells) => element("tr", {}, ...cells.map((cell) => cellOf(cell, true))));
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
    result.replaceChildren(different.length ? table : element("p", {}, "Their configurations are the same."));
  }
  place.append(element("p", {className: "controls"}, selects[0], " with ", selects[1]), result);
  show();
}

// Of the plots of several scores, those of the one that is chosen.
function choice(select) {
  const show = () => select.closest("section").querySelectorAll("[data-score]").forEach((plots) => {
    plots.hidden = plots.dataset.score !== select.value;
  });
  select.addEventListener("change", show);
  show();
}

for (const place of document.querySelectorAll(".table")) new Table(place, dataOf(place), false);
const coming = new IntersectionObserver((seen) => {  // thousands of options are made when somebody comes near them
  for (const {target} of seen.filter((entry) => entry.isIntersecting)) {
    coming.unobserve(target);
    comparison(target);
  }
}, {rootMargin: "500px"});
document.querySelectorAll(".comparison").forEach((place) => coming.observe(place));
document.querySelectorAll("select.score").forEach(choice);
