// ---- Map: colour the points by the chosen column ----

// Return the value of a point in the chosen column, as words beside the point.
const tellColumn = (i) => {
  const column = data.chosen;
  const isKnown = data.label && column === data.columns[0]; // the label is told anyway
  if (!column || isKnown) return [];
  const value = column.values ? column.values[i] : column.names[column.codes[i]];
  return [`${column.name}: ${value ?? "missing"}`];
};

(() => {
  const select = document.getElementById("by");
  if (!select) return;
  const marks = document.getElementById("marks");
  const legend = document.getElementById("legend");
  const original = [[...marks.childNodes], [...legend.childNodes]];
  const last = data.ramp.length - 1;

  const element = (name, attributes = {}, ...children) => {
    const isDrawing = ["svg", "path"].includes(name);
    const space = (isDrawing ? marks : legend).namespaceURI;
    const made = document.createElementNS(space, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };

  // Return the entry of the legend, or the step of the colour bar, that a point belongs to.
  const findEntry = (column, i) => {
    const isMissing = column.values ? column.values[i] === null : column.codes[i] < 0;
    if (isMissing) return "missing";
    if (!column.values) return Math.min(column.codes[i], column.shown);
    return Math.round((last * (column.values[i] - column.low)) / (column.high - column.low));
  };

  const findLook = (column, entry) => {
    if (column.values && entry !== "missing") return [data.ramp[entry], "o"];
    return (entry === "missing" ? column.legend.at(-1) : column.legend[entry]).slice(2);
  };

  // One path per entry. Large ones come first, and missing values before all, below the others.
  const drawPoints = (column) => {
    const members = new Map();
    for (let i = 0; i < data.x.length; i++) {
      const entry = findEntry(column, i);
      if (!members.has(entry)) members.set(entry, []);
      members.get(entry).push(i);
    }
    const size = ([entry, own]) => (entry === "missing" ? Infinity : own.length);
    const sorted = [...members].sort((a, b) => size(b) - size(a));
    return sorted.map(([entry, own]) => {
      const [color, marker] = findLook(column, entry);
      const d = own.map((i) => `M${data.x[i]} ${data.y[i]}${data.outlines[marker]}`).join("");
      return element("path", { class: column.values ? "points dark" : "points", fill: color, d });
    });
  };

  const drawSwatch = (color, marker) => {
    const half = 1.4 * data.radius;
    const path = element("path", { fill: color, d: `M0 0${data.outlines[marker]}` });
    const viewBox = [-half, -half, 2 * half, 2 * half].join(" ");
    return element("svg", { class: "swatch", viewBox, "aria-hidden": "true" }, path);
  };

  const drawLegend = (column) => {
    const entries = column.legend.map(([text, count, color, marker]) =>
      element("li", {}, drawSwatch(color, marker), ` ${text}`,
        element("span", { class: "count" }, ` (${count})`)));
    if (!column.values) return entries;
    const style = `background: linear-gradient(to right, ${data.ramp.join(", ")})`;
    const bar = element("span", { class: "ramp", style, "aria-hidden": "true" });
    return [element("li", {}, `${column.low} `, bar, ` ${column.high}`), ...entries];
  };

  const tell = (column) => {
    if (!column) return "The map is coloured by cluster.";
    const missing = column.legend.find(([text]) => text === "missing");
    return `The map is coloured by ${column.name}`
      + (column.values ? `, from ${column.low} to ${column.high}.` : ".")
      + (missing ? ` ${missing[1]} are missing.` : "");
  };

  select.addEventListener("change", () => {
    const column = data.columns[select.value];
    data.chosen = column;
    marks.replaceChildren(...(column ? drawPoints(column) : original[0]));
    legend.replaceChildren(...(column ? drawLegend(column) : original[1]));
    const by = column ? column.name : "cluster";
    marks.parentNode.setAttribute("aria-label", `${data.x.length} points, coloured by ${by}`);
    document.getElementById("announcement").textContent = tell(column);
  });
  document.getElementById("colours").hidden = false;
})();
