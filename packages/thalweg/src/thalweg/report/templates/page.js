// Boxes hide a method from all charts; a cursor on each line chart reads off its values, by mouse,
// finger or arrow keys; wide tables say that they scroll. The page is complete without this script.
"use strict";

for (const box of document.querySelectorAll("[data-toggle]")) {
  box.addEventListener("change", () => {
    const method = box.dataset.toggle;
    for (const twin of document.querySelectorAll("[data-toggle]"))
      if (twin.dataset.toggle === method) twin.checked = box.checked;
    for (const part of document.querySelectorAll("[data-method]"))
      if (part.dataset.method === method) part.classList.toggle("off", !box.checked);
  });
}

const wideTables = document.querySelectorAll(".scroll");

function hintAtMore() {
  for (const region of wideTables) {
    const rest = region.scrollWidth - region.clientWidth;
    region.classList.toggle("wide", rest > 1);
    region.classList.toggle("more", rest - region.scrollLeft > 1);
  }
}
for (const region of wideTables) region.addEventListener("scroll", hintAtMore, { passive: true });
for (const fold of document.querySelectorAll("details")) fold.addEventListener("toggle", hintAtMore);
window.addEventListener("resize", hintAtMore);
hintAtMore();

function scale(text) {
  const [kind, ...numbers] = text.split(" ");
  const [low, high, start, end] = numbers.map(Number);
  return (place) => {
    const share = (place - start) / (end - start);
    return kind === "log" ? low * (high / low) ** share : low + share * (high - low);
  };
}

function short(value) {
  const size = Math.abs(value);
  return size === 0 || (size >= 1e-3 && size < 1e5)
    ? String(Number(value.toPrecision(3)))
    : value.toExponential(1);
}

const SVG = "http://www.w3.org/2000/svg";

for (const svg of document.querySelectorAll("svg[data-x]")) {
  const [left, right] = svg.dataset.x.split(" ").slice(3).map(Number);
  const [bottom, top] = svg.dataset.y.split(" ").slice(3).map(Number);
  const toX = scale(svg.dataset.x), toY = scale(svg.dataset.y);
  const labels = [...svg.querySelectorAll(".label")].map((text) => text.textContent);
  const cursor = svg.querySelector(".cursor"), tip = svg.parentNode.querySelector(".tip");
  const series = [...svg.querySelectorAll(".series")].reverse().map((group) => ({
    group,
    points: group.querySelector("polyline").getAttribute("points").split(" ")
      .map((pair) => pair.split(",").map(Number)),
  }));
  let at = null;

  function hide() {
    at = null;
    cursor.replaceChildren();
    tip.classList.remove("shown");
  }

  function show(place) {
    at = Math.min(Math.max(place, left), right);
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("d", `M${at} ${top}V${bottom}`);
    cursor.replaceChildren(line);
    tip.replaceChildren();
    tip.append(`${labels[1]} ${short(toX(at))}`);
    for (const { group, points } of series) {
      if (group.classList.contains("off") || at < points[0][0] - 0.5) continue;
      const after = points.findIndex(([x]) => x > at + 0.05);
      if (after < 0 && at > points.at(-1)[0] + 0.5) continue;  // this method has ended
      const [, y] = points[after < 0 ? points.length - 1 : Math.max(after - 1, 0)];
      const dot = document.createElementNS(SVG, "circle");
      dot.setAttribute("cx", at);
      dot.setAttribute("cy", y);
      dot.setAttribute("r", 4);
      dot.setAttribute("class", group.classList[1]);
      cursor.append(dot);
      const row = document.createElement("div"), spot = document.createElement("i");
      row.className = group.classList[1];
      row.append(spot, `${group.dataset.label} ${short(toY(y))}`);
      tip.append(row);
    }
    tip.classList.add("shown");
    const frame = svg.getBoundingClientRect(), outer = svg.parentNode.getBoundingClientRect();
    const x = frame.left - outer.left + (at / svg.viewBox.baseVal.width) * frame.width;
    const leftwards = x + tip.offsetWidth + 16 > outer.width;
    tip.style.left = `${Math.max(4, leftwards ? x - tip.offsetWidth - 12 : x + 12)}px`;
    tip.style.top = `${frame.top - outer.top + 24}px`;
  }

  const follow = (event) => {
    const frame = svg.getBoundingClientRect();
    show(((event.clientX - frame.left) / frame.width) * svg.viewBox.baseVal.width);
  };
  const ground = svg.querySelector(".catch");
  ground.addEventListener("pointermove", follow);
  ground.addEventListener("pointerdown", follow);
  ground.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return hide();
    const step = { ArrowLeft: -8, ArrowRight: 8 }[event.key];
    if (step === undefined) return undefined;
    event.preventDefault();
    return show(at === null ? (left + right) / 2 : at + step);
  });
}
