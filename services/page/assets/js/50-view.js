// The model on the screen. Nothing here decides anything.
const $ = (id) => document.getElementById(id);
let lang = "en";
const number = (n) => new Intl.NumberFormat(lang).format(n);

const headOf = ({ mine, state }, words) => words.head[mine ? "mine" : state];

function leadOf(model, words) {
  if (model.mine) return fill(words.lead.mine, new Date(hour).toLocaleString(lang, { dateStyle: "long", timeStyle: "short" }));
  if (model.stuck) return words.lead.stuck;
  if (model.state === "before" && !model.placed) return words.lead.drawn;
  if (model.target && document.hidden) return words.lead.held;
  return words.lead[model.state] || (model.target ? words.lead.admitted : "");
}

function text(id, value) {
  const element = $(id);
  if (element.textContent !== value) element.textContent = value;
  element.hidden = value === "";
}

/** Replaces the children only when what they say has changed: selections and readers stay put. */
function list(id, rows, build) {
  const element = $(id);
  const said = JSON.stringify(rows);
  if (element.dataset.said === said) return;
  element.dataset.said = said;
  element.replaceChildren(...rows.map(build));
  element.hidden = !rows.length;
}

function made(tag, value, ...children) {
  const element = document.createElement(tag);
  if (value) element.textContent = value;
  element.append(...children);
  return element;
}

/** Share of the way that is behind the visitor. */
function share({ state, start, ahead }) {
  if (state === "admitted") return 1;
  return start && ahead !== null ? Math.min(1, Math.max(0, 1 - ahead / start)) : 0;
}

function odds({ state, seats, ahead, placed }, words) {
  if (!seats || ahead === null || !["before", "waiting", "paused"].includes(state)) return "";
  if (!seats.left) return seats.held ? words.odds.held : "";
  if (!placed) return "";
  if (ahead <= seats.left) return words.odds.good;
  return ahead <= 4 * seats.left ? words.odds.tight : words.odds.poor;
}

function facts({ state, total, low, high, position, placed, seats }, words) {
  const in_ = (...states) => states.includes(state);
  const rows = [];
  if (in_("before") && total !== null) rows.push([words.here, number(total)]);
  if (in_("waiting")) rows.push([words.wait, forecast(words, low, high)]);
  if (in_("before", "waiting", "paused", "soldout") && placed && position) rows.push([words.place, number(position)]);
  if (in_("before", "waiting", "paused") && seats) rows.push([words.seats, fill(words.left, number(seats.left), number(seats.total))]);
  return rows;
}

/** The large figure: a countdown or the people ahead. */
function figure({ state, ahead, opensAt, preQueueAt }, words) {
  const target = state === "early" ? preQueueAt : state === "before" ? opensAt : null;
  if (target !== null) return [words.label[state], face(target - serverTime()), ""];
  if ((state === "waiting" || state === "paused") && ahead > 1) return [words.label.ahead, number(ahead - 1), words.people];
  return ["", "", ""];
}

function notice({ trouble, dueAt }, words) {
  if (trouble === "offline") return words.offline;
  return trouble ? fill(words.trouble, Math.max(1, Math.ceil((dueAt - Date.now()) / 1000))) : "";
}

function show(model) {
  const words = WORDS[lang];
  const { state, heardAt, target } = model;
  const next = state === "waiting" && model.ahead <= 1;
  const [label, value, unit] = figure(model, words);
  document.body.dataset.state = state;
  document.title = `${value || words.badge[state]} · ${words.title}`;
  text("brand", words.title);
  text("badge", words.badge[state]);
  text("head", next ? words.next : headOf(model, words));
  text("lead", leadOf(model, words));
  text("label", label);
  text("value", value);
  text("unit", unit);
  $("figure").hidden = !value;
  const way = $("way");
  way.hidden = !["waiting", "paused", "admitted"].includes(state);
  way.style.setProperty("--share", share(model).toFixed(4));
  way.setAttribute("aria-valuenow", Math.round(share(model) * 100));
  way.setAttribute("aria-label", words.head.waiting);
  list("facts", facts(model, words), ([name, fact]) => made("div", "", made("dt", name), made("dd", fact)));
  text("odds", odds(model, words));
  text("notice", notice(model, words));
  text("go", target ? words.go : "");
  if (target) $("go").href = target;
  text("checked", heardAt ? fill(words.checked, new Date(heardAt + skewMs).toLocaleTimeString(lang)) : "");
  list("hints", ["early", "before", "waiting", "paused"].includes(state) ? words.hints : [], (hint) => made("li", hint));
}

/** The two language buttons. */
function languages(changed) {
  lang = firstLanguage();
  const buttons = [...document.querySelectorAll("button[data-lang]")];
  const mark = () => {
    document.documentElement.lang = lang;
    for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.lang === lang);
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      lang = button.dataset.lang;
      keep.set("urr-lang", lang);
      mark();
      changed();
    });
  }
  mark();
}
