// Puts the pieces together.
const settings = JSON.parse($("settings").content);
const sale = (location.pathname.match(/^\/vwr\/([0-9a-f-]{36})\/?$/i) || [])[1];

// What is known; absent is not known yet. `trouble` is "offline" or "server".
const model = { state: "connecting", placed: true, ahead: null, total: null, low: null, opensAt: null, heardAt: 0, dueAt: 0 };
const speak = speaker($("say"));

function render() {
  const seen = early(model) ? { ...model, state: "before", mine: true, opensAt: hour, target: null } : model;
  show(seen);
  speak(seen, WORDS[lang]);
}
languages(render);

let crowd = null;
const queue = line(sale, settings, model, () => {
  render();
  if (crowd) crowd.tell();
});
crowd = tabs(sale, {
  latest: () => ({ model, dueAt: model.dueAt }),
  onLead: (yes) => queue.lead(yes),
  onNews: ({ model: news }) => {
    Object.assign(model, news, { stuck: model.stuck });
    // Each tab has its own way on.
    if (model.target) model.target = destination(settings, sale);
    render();
    if (model.target) queue.leave();
  },
});

setInterval(() => {
  crowd.watch();
  if (!document.hidden) render();
  if (hour) queue.leave();
}, 1000);
for (const [target, event] of [[document, "visibilitychange"], [window, "pageshow"], [window, "online"], [document, "resume"]]) {
  target.addEventListener(event, ({ persisted }) => {
    // Back from the shop: a page out of the browser's drawer begins anew.
    if (persisted) return location.reload();
    if (!document.hidden) queue.wake();
    render();
  });
}
window.addEventListener("offline", () => {
  model.trouble = "offline";
  render();
});
render();
