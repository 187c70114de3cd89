"use strict";
/* Without this script everything is readable; with it tables can be sorted and the threshold moved. */
document.querySelectorAll("table.figures").forEach((table) => {
  const body = table.tBodies[0];
  if (body.rows.length < 3) return;
  table.querySelectorAll("thead th").forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      table.querySelectorAll("thead th").forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const key = (row) => row.cells[column].textContent.trim().replace(/\u2212/g, "-").replace(/,/g, "");
      const compare = (one, other) => {
        const [a, b] = [parseFloat(key(one)), parseFloat(key(other))];
        if (Number.isNaN(a) !== Number.isNaN(b)) return Number.isNaN(a) ? 1 : -1;
        const order = Number.isNaN(a) ? key(one).localeCompare(key(other)) : a - b;
        return rising ? order : -order;
      };
      body.append(...[...body.rows].sort(compare));
    });
  });
});
addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
});
document.querySelectorAll(".slider").forEach((box) => {
  const counts = (name) => box.dataset[name].split(" ").map(Number);
  const [positives, negatives] = [counts("positives"), counts("negatives")];
  const sum = (values, start, end) => values.slice(start, end).reduce((a, b) => a + b, 0);
  const input = box.querySelector("input");
  const show = (name, text) => { box.querySelector(`[data-show=${name}]`).textContent = text; };
  const share = (part, all) => (all ? `${((100 * part) / all).toFixed(1)} %` : "\u2013");
  const update = () => {
    const at = Number(input.value);
    const [found, missed] = [sum(positives, at), sum(positives, 0, at)];
    const [alarms, cleared] = [sum(negatives, at), sum(negatives, 0, at)];
    show("threshold", (at / 1000).toFixed(3));
    show("found", found.toLocaleString("en-US"));
    show("missed", missed.toLocaleString("en-US"));
    show("alarms", alarms.toLocaleString("en-US"));
    show("cleared", cleared.toLocaleString("en-US"));
    show("sensitivity", share(found, found + missed));
    show("specificity", share(cleared, cleared + alarms));
    show("precision", share(found, found + alarms));
  };
  input.addEventListener("input", update);
  update();
  box.hidden = false;
});
