/* Decisions: marks as a file that `python -m flows decide` takes into the archive. */
const DECISIONS_FORMAT = 1;
const decisionsBox = one("#decisions");
let isTold = false;

function decisionsFile(now) {
  const marked = [...marks].map(([sha256, { stars, verdict }]) => ({ sha256, ...(verdict && { verdict }), ...(stars !== undefined && { stars }) }));
  marked.sort((a, b) => places.get(a.sha256) - places.get(b.sha256));
  return { kind: "kleinbild-decisions", format: DECISIONS_FORMAT, archive: island.archive, campaign: island.campaign, edition: island.edition, saved_at: now.toISOString(), marks: marked };
}

const plain = (text) => text.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[-.]+/, "").slice(0, 60);
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function fileName(now) {
  const moment = now.toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
  return `decisions-${plain(`${island.campaign}-${island.edition}`)}-${moment}.json`;
}

function archivePath() {
  if (location.protocol !== "file:") return "ARCHIVE";
  const folder = decodeURIComponent(location.pathname).split("/").slice(0, -4).join("/");
  return quoted(folder || "/");
}

function save() {
  const now = new Date();
  const name = fileName(now);
  const address = URL.createObjectURL(new Blob([`${JSON.stringify(decisionsFile(now), null, 1)}\n`], { type: "application/json" }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  savedMarks = marksAsText();
  keepMarks();
  one("#command").textContent = `python -m flows decide ${name} --archive ${archivePath()}`;
}

function saidOfMarks() {
  const given = [...marks.values()];
  const counts = [
    [given.filter(({ stars }) => stars).length, "with stars"],
    [given.filter(({ stars }) => stars === 0).length, "without their stars"],
    [given.filter(({ verdict }) => verdict === "reject").length, "rejected"],
    [given.filter(({ verdict }) => verdict === "keep").length, "kept"],
  ];
  const said = counts.filter(([count]) => count).map(([count, what]) => `${count} ${what}`);
  if (!said.length) return "Nothing is marked yet. Give stars with 1 to 5, reject with X, keep with K.";
  return `${marks.size} picture${marks.size === 1 ? "" : "s"} marked: ${said.join(", ")}. ${hasUnsaved() ? "Not saved to a file yet." : "Saved to a file."}`;
}

function showDecisions() {
  one("#marked").textContent = marks.size ? `${marks.size} marked` : "Marks";
  one("#decide").classList.toggle("unsaved", hasUnsaved());
  one("#marks-said").textContent = saidOfMarks();
  one("#marks-trouble").hidden = keepsMarks;
  one("#save").disabled = one("#forget").disabled = marks.size === 0;
  if (!keepsMarks && marks.size && !isTold) {
    isTold = true;
    if (!lightbox.open) decisionsBox.showModal(); // once: whoever marks should know that nothing is kept
  }
}

one("#command").textContent = `python -m flows decide FILE --archive ${archivePath()}`;
one("#decide").addEventListener("click", () => decisionsBox.showModal());
one("#save").addEventListener("click", save);
one("#forget").addEventListener("click", () => forgetMarks());
document.addEventListener("marks", showDecisions);
for (const button of all("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
