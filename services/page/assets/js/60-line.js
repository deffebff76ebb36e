// Standing in line: when to ask, and what an answer means. Only the leading tab runs this.
const FIRST_POLL_MS = 5000;
const SEATS_EVERY_MS = 20000;
const LONGEST_PAUSE_MS = 60000;
// Polls that fail in a row before the place is shown with a join instead: a minute's.
const FAILED_POLLS_MAX = 5;

/** A number as the server means it, else `other`. */
const count = (value, other = null) => (Number.isFinite(value) && value >= 0 ? value : other);

function line(sale, settings, model, changed) {
  let timer = 0;
  let busy = false;
  let failures = 0;
  let denied = false;
  let seatsDue = 0;
  let leading = false;
  let leaving = false;

  /** Asks again in `ms`; a timer that a sleeping device slept through fires once, late. */
  function plan(ms) {
    model.dueAt = Date.now() + ms;
    clearTimeout(timer);
    timer = setTimeout(act, Math.min(ms, 2 ** 31 - 1));
  }
  /** As the server says: never sooner than a second, whatever it says. */
  function pace(body) {
    plan(Math.max(1000, count(body.nextPollMs, count(body.nextPoll, FIRST_POLL_MS / 1000) * 1000)));
  }
  /** Twice as long each time, anywhere in the upper half, so that a crowd does not come back as one. */
  function failed(retryMs, trouble = "server") {
    model.trouble = trouble;
    const longest = Math.min(LONGEST_PAUSE_MS, 2000 * 2 ** Math.min(failures, 5));
    failures += 1;
    plan(Math.max(retryMs, longest * (0.5 + Math.random() / 2)));
    return false;
  }

  async function act() {
    if (busy || !leading || model.state === "admitted") return;
    busy = true;
    try {
      const place = readPlace(sale);
      const answer = place && !denied && failures < FAILED_POLLS_MAX ? await check(place) : await join(place);
      if (answer) {
        failures = 0;
        model.trouble = null;
        model.heardAt = Date.now();
        if (model.state !== "admitted") await lookAtSeats();
      }
    } catch (_) {
      failed(0, navigator.onLine === false ? "offline" : "server");
    } finally {
      busy = false;
      changed();
    }
  }

  /** Takes a place, or shows the one there was: only a new one replaces it, for nothing else proves it. */
  async function join(place) {
    const asked = { userId: visitor() };
    if (place) asked.requestId = place.requestId;
    const { status, body, retryMs } = await ask(`${settings.api}/assign/${sale}`, asked);
    if (status === 200 && typeof body.requestId === "string") {
      denied = false;
      if (place && place.requestId !== body.requestId) model.start = null;
      stand(body);
      writePlace(sale, { requestId: body.requestId, position: body.position, start: model.start });
      pace(body);
      return true;
    }
    return status === 404 ? refused(body) : failed(retryMs);
  }

  /** No place to be had, and why. */
  function refused(body) {
    const why = String(body.reason);
    model.opensAt = null;
    if (count(body.preQueueAt) !== null) {
      model.state = "early";
      model.preQueueAt = body.preQueueAt;
      // All who watched the countdown come at once: within a second and a half is soon enough.
      plan(Math.max(1000, body.preQueueAt - serverTime()) + Math.random() * 1500);
    } else if (/closed|nobody new/.test(why)) {
      model.state = /closed/.test(why) ? "closed" : "full";
      plan(LONGEST_PAUSE_MS);
    } else {
      // R-VWR-07: no room, no wait; tier 2 still decides.
      model.state = "off";
      model.target = destination(settings, sale);
      plan(FIRST_POLL_MS);
      leave();
    }
    return true;
  }

  async function check(place) {
    const url = `${settings.api}/check/${sale}/${place.requestId}?userId=${encodeURIComponent(visitor())}`;
    const { status, body, retryMs } = await ask(url);
    if (status === 200 && body.admitted === true && typeof body.token === "string") {
      admitted(body.token);
      return true;
    }
    if (status === 200 && body.admitted === false) {
      model.start = count(place.start);
      stand(body);
      if (model.start !== place.start) writePlace(sale, { ...place, position: body.position, start: model.start });
      pace(body);
      return true;
    }
    if (status === 404) {
      // Another line than the one this place was in, as far as that replica knows.
      denied = true;
      plan(500 + Math.random() * 1500);
      return false;
    }
    return failed(retryMs);
  }

  function stand(body) {
    model.position = count(body.position);
    model.placed = body.placed !== false;
    model.ahead = count(body.ahead, Math.max(0, body.position - count(body.servingCounter, 0)));
    model.total = count(body.totalInQueue, model.placed ? model.total : model.position);
    const before = body.phase === "pre-queue" || body.opensAt > serverTime();
    model.opensAt = before ? count(body.opensAt) : null;
    model.low = count(body.etaP50S, count(body.estimatedWait));
    model.high = count(body.etaP90S);
    if (body.room === "closed" || body.room === "paused") model.state = body.room;
    else if (model.seats && model.seats.soldOut) model.state = "soldout";
    else model.state = before ? "before" : "waiting";
    if (!before && model.placed && (!model.start || model.start < model.ahead)) model.start = model.ahead;
  }

  /** How many seats are left: a second, cacheable question, and one the page can live without. */
  async function lookAtSeats() {
    if (Date.now() < seatsDue || !["before", "waiting", "paused", "soldout"].includes(model.state)) return;
    seatsDue = Date.now() + SEATS_EVERY_MS * (1 + Math.random() / 4);
    try {
      const { status, body } = await ask(`${settings.seats}/${sale}`);
      model.seats = status === 200 && body.total > 0 ? body : null;
      const out = model.seats && model.seats.soldOut;
      if (out && model.state === "waiting") model.state = "soldout";
      if (!out && model.state === "soldout") model.state = "waiting";
    } catch (_) {}
  }

  function admitted(token) {
    clearTimeout(timer);
    const ttlS = lifetime(token);
    setCookie("urr-vwr-token", token, ttlS, "Strict", settings.cookieDomain);
    Object.assign(model, { state: "admitted", ahead: 0, trouble: null, target: destination(settings, sale), staleAt: Date.now() + ttlS * 800 });
    leave();
  }

  /** Goes on, if somebody is looking: behind the door a silent visitor loses the slot. */
  function leave() {
    if (document.hidden || !model.target || early(model)) return;
    if (model.state === "admitted" && Date.now() > model.staleAt) {
      // The pass is nearly over; the place gives another.
      model.state = "connecting";
      model.target = null;
      model.dueAt = 0;
      return void act();
    }
    if (leaving || model.stuck) return;
    model.stuck = bounced(sale);
    if (model.stuck) return;
    leaving = true;
    changed();
    setTimeout(() => location.replace(model.target), 900);
  }

  return {
    leave,
    lead(yes) {
      leading = yes;
      if (yes) plan(Math.max(0, model.dueAt - Date.now()));
    },
    /** The device woke up, the page is looked at, or the network is back. */
    wake() {
      if (model.target) return leave();
      if (leading && model.trouble === "offline") plan(Math.random() * 1500);
      else if (leading && Date.now() > model.dueAt) plan(0);
    },
  };
}

// Who came back from the shop before his hour (R-BOOK-14), which `?opensAt=` says, waits for it here: the shop would
// only send him back. An address can say anything; beyond the longest presale it is not believed.
const hour = Number(new URLSearchParams(location.search).get("opensAt"));
function early({ state, target }) {
  const left = hour - serverTime();
  return target && /admitted|off/.test(state) && left > 0 && left < 176400000;
}

/** Sent on three times within a minute and back again each time: somebody behind us says no. */
function bounced(sale) {
  const name = `urr-vwr-sent-${sale}`;
  try {
    const sent = JSON.parse(sessionStorage.getItem(name) || "[]").filter((at) => Date.now() - at < 60000);
    if (sent.length >= 3) return true;
    sessionStorage.setItem(name, JSON.stringify([...sent, Date.now()]));
  } catch (_) {}
  return false;
}
