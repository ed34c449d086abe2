// ---- The reader's answers: save them as a file, and load them again ----

(() => {
  const largest = 10e6; // bytes of a file
  const about = JSON.parse(document.getElementById("save").dataset.about);
  const reader = document.getElementById("reader");
  const load = document.getElementById("load");
  const saved = document.getElementById("saved");
  const groups = new Map();
  for (const form of document.querySelectorAll(".answer")) {
    groups.set(Number(form.dataset.group), [...form.querySelectorAll("input, select, textarea")]);
  }
  const fields = [reader, ...[...groups.values()].flat()];
  let isSaved = true;

  // A text area is as high as its text, which its parent repeats unseen.
  const grow = (field) => {
    if (field.name === "comment") field.parentNode.dataset.text = `${field.value} `;
  };

  const collect = () => ({
    ...about,
    title: document.title,
    reader: reader.value,
    saved: new Date().toISOString(),
    groups: [...groups].map(([group, own]) => ({
      group,
      ...Object.fromEntries(own.map((field) => [field.name, field.value])),
    })),
  });

  const save = () => {
    const text = JSON.stringify(collect(), null, 1);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = "answers.json";
    isSaved = true;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    saved.textContent = "Saved as answers.json, in the folder of your downloads.";
  };

  const fill = (field, value) => {
    field.value = typeof value === "string" ? value.slice(0, field.maxLength ?? 10) : "";
    grow(field);
  };

  const show = (content) => {
    fill(reader, content.reader);
    for (const [group, own] of groups) {
      const answer = content.groups.find((one) => one?.group === group) ?? {};
      for (const field of own) fill(field, answer[field.name]);
    }
    isSaved = true;
    saved.textContent = "Loaded. You can go on.";
  };

  const parse = (text) => {
    try {
      return JSON.parse(text) ?? {};
    } catch {
      return {};
    }
  };

  const read = async (file) => {
    const content = file.size > largest ? {} : parse(await file.text());
    const { format, version, model } = content;
    if (format !== about.format || version !== about.version || !Array.isArray(content.groups)) {
      saved.textContent = "Not loaded: this is not a file of answers. Choose an answers.json.";
    } else if (model !== about.model) {
      saved.textContent = "Not loaded: these answers are about other clusters. Load them in the "
        + "report in which they were written.";
    } else if (isSaved || confirm("Replace the answers that you have not saved?")) {
      show(content);
    }
  };

  for (const field of fields) {
    field.addEventListener("input", () => {
      isSaved = false;
      saved.textContent = "";
      grow(field);
    });
  }
  document.getElementById("download").addEventListener("click", save);
  load.addEventListener("change", async () => {
    if (load.files.length) await read(load.files[0]);
    load.value = ""; // so that the same file can be chosen again
  });
  addEventListener("beforeunload", (event) => {
    if (!isSaved) event.preventDefault();
  });
})();
