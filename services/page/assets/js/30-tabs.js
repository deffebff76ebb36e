// Several tabs, one poller. A web lock says who: it comes free when its tab ends, however that ends.
// A tab in view takes over from one that the browser has put to sleep.
const QUIET_MS = 5000;

function tabs(sale, { onNews, onLead, latest }) {
  const name = placeOf(sale);
  const channel = "BroadcastChannel" in window ? new BroadcastChannel(name) : null;
  let leads = false;
  let queued = null;
  let heardDue = Date.now();

  function lead(yes) {
    leads = yes;
    onLead(yes);
  }
  function enter(steal) {
    if (queued) queued.abort();
    queued = new AbortController();
    const mine = queued;
    const options = steal ? { steal: true } : { signal: mine.signal };
    navigator.locks
      .request(name, options, () => {
        lead(true);
        return new Promise(() => {});
      })
      .catch(() => {
        // Given up for a newer request of our own.
        if (mine !== queued) return;
        lead(false);
        enter(false);
      });
  }
  if (channel) {
    channel.onmessage = ({ data }) => {
      if (data.hello) {
        if (leads) tell();
        return;
      }
      heardDue = data.dueAt;
      if (!leads) onNews(data);
    };
  }
  function tell() {
    if (channel) channel.postMessage({ ...latest(), hello: false });
  }
  /** Called every second: has the leader missed its own time? */
  function watch() {
    if (leads || document.hidden || !navigator.locks) return;
    if (Date.now() > heardDue + QUIET_MS) {
      heardDue = Date.now() + QUIET_MS;
      enter(true);
    }
  }
  if (navigator.locks && channel) {
    enter(false);
    channel.postMessage({ hello: true });
  } else {
    // Each tab for itself: joins are idempotent and polls are paced.
    lead(true);
  }
  return { tell, watch, leads: () => leads };
}
