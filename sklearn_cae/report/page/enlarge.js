// ---- Clusters: show a member large, beside what the network saw ----

(() => {
  const dialog = document.getElementById("enlarged");
  if (!dialog) return;
  const whose = document.getElementById("whose");
  const sides = document.getElementById("sides");
  const buttons = [...document.querySelectorAll("button.enlarge")];
  const captions = {
    original: dialog.dataset.original,
    seen: "What the network saw",
    saliency: "What its similarity depends on",
  };
  let current = 0;
  let slice = -1; // the middle one, until the reader chooses another

  // Return the group of a member, and what is written below its picture.
  const describe = (button) => {
    const texts = [...button.closest("li").querySelectorAll(":scope > span")];
    const { group } = button.closest(".card").querySelector(".answer").dataset;
    return [data.titles[group], ...texts.map((one) => one.textContent.trim())].join(", ");
  };

  const drawSides = (button) =>
    Object.entries(captions).flatMap(([kind, text]) => {
      const picture = button.querySelector(`img.${kind}`);
      if (!picture) return [];
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      caption.textContent = text;
      const large = picture.cloneNode();
      large.alt = text;
      figure.append(large, caption);
      return [figure];
    });

  // Volumes: return a slider that moves through the slices.
  const drawSlices = (button) => {
    const sheet = button.querySelector("img.slices");
    if (!sheet) return [];
    const [n, columns, depth] = ["n", "columns", "depth"].map((name) => Number(sheet.dataset[name]));
    const figure = document.createElement("figure");
    const canvas = document.createElement("canvas");
    const slider = document.createElement("input");
    const caption = document.createElement("figcaption");
    if (slice < 0) slice = Math.floor(n / 2);
    Object.assign(slider, { type: "range", min: 0, max: n - 1, value: slice });
    slider.setAttribute("aria-label", "Slice across the first axis");
    const draw = () => {
      slice = Number(slider.value);
      const [width, height] = [sheet.naturalWidth / columns, sheet.naturalHeight / Math.ceil(n / columns)];
      const [left, top] = [(slice % columns) * width, Math.floor(slice / columns) * height];
      Object.assign(canvas, { width, height });
      canvas.getContext("2d").drawImage(sheet, left, top, width, height, 0, 0, width, height);
      const place = Math.floor((slice * (depth - 1)) / (n - 1)) + 1;
      caption.textContent = `Slice ${place} of ${depth} across the first axis`;
      slider.setAttribute("aria-valuetext", `${place} of ${depth}`);
    };
    slider.addEventListener("input", draw);
    sheet.decode().then(draw);
    figure.append(canvas, slider, caption);
    return [figure];
  };

  const show = (i) => {
    current = i;
    whose.textContent = describe(buttons[i]);
    sides.replaceChildren(...drawSides(buttons[i]), ...drawSlices(buttons[i]));
  };

  // After the last member comes the first one again.
  const go = (step) => show((current + step + buttons.length) % buttons.length);

  buttons.forEach((button, i) => {
    button.addEventListener("click", () => {
      show(i);
      dialog.showModal();
    });
  });
  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || event.target.type === "range" || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(step);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside the pictures
  });
  dialog.addEventListener("close", () => buttons[current].focus());
  const actions = { previous: () => go(-1), next: () => go(1), close: () => dialog.close() };
  for (const [id, act] of Object.entries(actions)) {
    document.getElementById(id).addEventListener("click", act);
  }
})();
