// ---- Clusters: show a member large, beside what the network saw ----

(() => {
  const dialog = document.getElementById("enlarged");
  if (!dialog) return;
  const whose = document.getElementById("whose");
  const sides = document.getElementById("sides");
  const buttons = [...document.querySelectorAll("button.enlarge")];
  const captions = {
    original: "The image",
    seen: "What the network saw",
    saliency: "What its similarity depends on",
  };
  let current = 0;

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

  const show = (i) => {
    current = i;
    whose.textContent = describe(buttons[i]);
    sides.replaceChildren(...drawSides(buttons[i]));
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
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
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
