// Runs before the first paint, so that no theme flashes; says so when the page's own code cannot start.
(() => {
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is forbidden here: the system's theme it is.
  }
  let started = false;
  const failed = () => {
    const note = document.getElementById("boot-failed");
    if (!started && note) note.hidden = false;
  };
  addEventListener("TrunkApplicationStarted", () => { started = true; });
  addEventListener("error", failed, true);
  addEventListener("unhandledrejection", failed);
})();
