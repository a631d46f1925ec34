// Runs before the first paint, so that no theme flashes; and says so when the page's own code cannot start, or stops.
(() => {
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is forbidden here: the system's theme it is.
  }
  // What whoever runs this says on top of the page: it is set without building the page anew.
  const parsed = new Promise((resolve) => addEventListener("DOMContentLoaded", resolve));
  const configuration = fetch("/config.json").then((answer) => answer.json());
  Promise.all([configuration, parsed]).then(([{ notice }]) => {
    if (!notice) return;
    const place = document.getElementById("notice");
    place.firstElementChild.textContent = notice;
    place.hidden = false;
  }).catch(() => {}); // Without it the page is whole.
  let started = false;
  const show = (id) => {
    const note = document.getElementById(id);
    if (note) note.hidden = false;
  };
  const failed = (cause) => {
    if (!started) show("boot-failed");
    // The code has trapped: what is on the screen will not change any more, and must not pass for live.
    else if (cause instanceof WebAssembly.RuntimeError) show("stopped");
  };
  addEventListener("TrunkApplicationStarted", () => { started = true; });
  addEventListener("error", (event) => failed(event.error), true);
  addEventListener("unhandledrejection", (event) => failed(event.reason));
})();
