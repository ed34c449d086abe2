// ---- Clusters: show a member large, beside what the network saw ----

(() => {
  const dialog = document.getElementById("enlarged");
  const whose = document.getElementById("whose");
  const sides = document.getElementById("sides");
  const [previous, next] = ["previous", "next"].map((id) => document.getElementById(id));
  const buttons = [...document.querySelectorAll("button.enlarge")];
  const captions = {
    original: "The image",
    seen: "What the network saw",
    saliency: "What pulled it here",
  };
  let current = 0;

  // Return the group of a member, and what is written below its picture.
  const describe = (button) => {
    const group = button.closest(".card").querySelector("h3").firstElementChild.nextSibling;
    const texts = button.closest("li").querySelectorAll(":scope > span");
    return [group, ...texts].map((one) => one.textContent.trim()).join(", ");
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
    previous.disabled = i === 0;
    next.disabled = i === buttons.length - 1;
  };

  const go = (step) => {
    const i = current + step;
    if (buttons[i]) show(i);
  };

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
  previous.addEventListener("click", () => go(-1));
  next.addEventListener("click", () => go(1));
  document.getElementById("close").addEventListener("click", () => dialog.close());
})();
