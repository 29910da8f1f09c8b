/* A long text is cut after some lines; a click shows the whole of it. So does the large view, for those with no mouse. */
document.addEventListener("click", (event) => {
  const text = event.target.closest(".prompt > h2, .instruction");
  if (text && getSelection().isCollapsed) text.classList.toggle("whole");
});
