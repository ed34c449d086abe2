"use strict";

const data = JSON.parse(document.getElementById("points").textContent);

// ---- Map: show the image of the closest point beside the pointer ----

(() => {
  const plot = document.getElementById("plot");
  const svg = plot.querySelector("svg");
  const ring = document.getElementById("ring");
  const tip = document.getElementById("tip");
  const thumb = document.getElementById("thumb");
  const words = document.getElementById("words");
  const announcement = document.getElementById("announcement");
  const reach = 24; // screen pixels
  let current = -1;

  const describe = (i) => [
    data.titles[data.cluster[i]],
    data.name ? data.name[i] : `row ${data.row[i]}`,
    ...(data.label ? [`label ${data.label[i]}`] : []),
    ...tellColumn(i),
    `margin ${data.margin[i]}`,
  ];

  // Return the position of a point of the map in the window.
  const locate = (i) => new DOMPoint(data.x[i], data.y[i]).matrixTransform(svg.getScreenCTM());

  const findClosest = (event) => {
    const matrix = svg.getScreenCTM();
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    let closest = -1;
    let least = (reach / matrix.a) ** 2;
    for (let i = 0; i < data.x.length; i++) {
      const distance = (data.x[i] - at.x) ** 2 + (data.y[i] - at.y) ** 2;
      if (distance < least) [closest, least] = [i, distance];
    }
    return closest;
  };

  const drawThumb = (i) => {
    const { columns, width, height } = data.sprite;
    const scale = Math.min(112 / width, 224 / height); // slices of volumes are above each other
    thumb.style.width = `${width * scale}px`;
    thumb.style.height = `${height * scale}px`;
    thumb.style.backgroundSize = `${columns * width * scale}px auto`;
    const [left, top] = [(i % columns) * width, Math.floor(i / columns) * height];
    thumb.style.backgroundPosition = `${-left * scale}px ${-top * scale}px`;
  };

  const show = (i) => {
    current = i;
    ring.setAttribute("cx", data.x[i]);
    ring.setAttribute("cy", data.y[i]);
    ring.setAttribute("visibility", "visible");
    words.textContent = describe(i).join("\n");
    if (thumb) drawThumb(i);
    tip.hidden = false;
    announcement.textContent = "";
    // Right of the point and below it, or left of it if there is no space; always in the window.
    const at = locate(i);
    const box = plot.getBoundingClientRect();
    const rightmost = document.documentElement.clientWidth - tip.offsetWidth;
    const left = at.x + 18 <= rightmost ? at.x + 18 : Math.max(0, at.x - 18 - tip.offsetWidth);
    const top = Math.max(0, Math.min(at.y + 12, innerHeight - tip.offsetHeight));
    tip.style.left = `${left - box.left - plot.clientLeft}px`;
    tip.style.top = `${top - box.top - plot.clientTop}px`;
  };

  const hide = () => {
    current = -1;
    tip.hidden = true;
    ring.setAttribute("visibility", "hidden");
    announcement.textContent = "";
  };

  const announce = () => {
    announcement.textContent = describe(current).join(", ");
  };

  // Points are sorted by cluster, and then from the clearest to the most doubtful member.
  const firsts = data.cluster.flatMap((c, i) => (i === 0 || c !== data.cluster[i - 1] ? [i] : []));
  const last = data.x.length - 1;
  const inCluster = () => firsts.findLastIndex((first) => first <= current);
  const steps = {
    ArrowRight: () => Math.min(current + 1, last),
    ArrowLeft: () => Math.max(current - 1, 0),
    ArrowDown: () => firsts[Math.min(inCluster() + 1, firsts.length - 1)],
    ArrowUp: () => firsts[Math.max(inCluster() - 1, 0)],
  };

  plot.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    show(current < 0 ? 0 : steps[event.key]());
    announce();
  });
  plot.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse") return;
    const closest = findClosest(event);
    if (closest < 0) hide();
    else if (closest !== current) show(closest);
  });
  plot.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") hide();
  });
  plot.addEventListener("click", (event) => {
    const closest = findClosest(event);
    if (closest < 0) return hide();
    show(closest);
    announce();
  });
})();

// ---- Table: sort by a column if its title is clicked ----

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const compare = (a, b) => (a - b || a.localeCompare(b));
  const sortBy = (column, direction) => {
    const value = (row) => row.cells[column].dataset.value;
    const rows = [...body.rows].sort((a, b) => direction * compare(value(a), value(b)));
    body.append(...rows);
  };
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      sortBy(column, order === "ascending" ? 1 : -1);
    });
  });
}
