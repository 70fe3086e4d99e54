// What moves in a report: tables that sort and copy, data sets as tabs, light and dark. Without it everything is still
// there, one below the other.
(() => {
  const copies = JSON.parse(document.getElementById("copies").textContent);
  document.documentElement.classList.add("scripted");

  // Sorting: by number where a cell has one, else by text; rows that have none stay last. A third press gives the order
  // of the study back.
  const collator = new Intl.Collator("en", { numeric: true });
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    for (const button of table.querySelectorAll("button.sort")) {
      const head = button.closest("th");
      const place = Number(button.dataset.column);
      const startsHigh = button.dataset.first === "descending";
      button.addEventListener("click", () => {
        const [once, twice] = startsHigh ? ["descending", "ascending"] : ["ascending", "descending"];
        const now = head.getAttribute("aria-sort");
        const next = now === null ? once : now === once ? twice : undefined;
        for (const other of table.querySelectorAll("th[aria-sort]")) {
          other.removeAttribute("aria-sort");
        }
        table.classList.toggle("sorted", next !== undefined);
        if (next === undefined) {
          body.append(...original);
          return;
        }
        head.setAttribute("aria-sort", next);
        const sign = next === "ascending" ? 1 : -1;
        const keyOf = (row) => row.cells[place].dataset.value ?? row.cells[place].textContent.trim();
        const rows = original.map((row, at) => ({ row, at, key: keyOf(row) }));
        rows.sort((a, b) => {
          const absent = (a.key === "") - (b.key === "");
          if (absent !== 0) {
            return absent;
          }
          const [x, y] = [Number(a.key), Number(b.key)];
          const byValue = Number.isNaN(x) || Number.isNaN(y) ? collator.compare(a.key, b.key) : x - y;
          return sign * byValue || a.at - b.at;
        });
        body.append(...rows.map(({ row }) => row));
      });
    }
  }

  // Copying. A page from a file may not be allowed to use the clipboard; the older way then does.
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.addEventListener("click", async () => {
      const [table, format] = button.dataset.copy.split(" ");
      const said = button.parentElement.querySelector(".said");
      const isCopied = await copy(copies[table][format]);
      said.textContent = isCopied ? `${button.textContent} copied` : "the browser does not allow copying";
      setTimeout(() => {
        said.textContent = "";
      }, 4000);
    });
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      area.style.position = "fixed";
      area.style.opacity = "0";
      document.body.append(area);
      const before = document.activeElement;
      area.select();
      const isCopied = document.execCommand("copy");
      area.remove();
      before?.focus();
      return isCopied;
    }
  }

  // Tabs, as the ARIA practices have them: arrows, Home and End move, Tab leaves.
  let groups = 0;
  const groupsOfTabs = [];
  for (const group of document.querySelectorAll(".tabs")) {
    const panels = [...group.children].filter((child) => child.classList.contains("panel"));
    if (panels.length < 2) {
      continue;
    }
    group.classList.add("live");
    const list = document.createElement("div");
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-label", group.dataset.label);
    const name = `tabs-${++groups}`;
    const tabs = panels.map((panel, i) => {
      const tab = document.createElement("button");
      tab.type = "button";
      tab.id = `${name}-${i}`;
      tab.textContent = panel.dataset.label;
      tab.setAttribute("role", "tab");
      panel.id = `${name}-panel-${i}`;
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", tab.id);
      tab.setAttribute("aria-controls", panel.id);
      tab.addEventListener("click", () => showEverywhere(panel.dataset.label));
      return tab;
    });
    const show = (chosen) => {
      panels.forEach((panel, i) => {
        panel.hidden = i !== chosen;
        tabs[i].setAttribute("aria-selected", String(i === chosen));
        tabs[i].tabIndex = i === chosen ? 0 : -1;
      });
    };
    list.addEventListener("keydown", (event) => {
      const at = tabs.indexOf(document.activeElement);
      const next = {
        ArrowRight: (at + 1) % tabs.length,
        ArrowLeft: (at + tabs.length - 1) % tabs.length,
        Home: 0,
        End: tabs.length - 1,
      }[event.key];
      if (next !== undefined && at !== -1) {
        event.preventDefault();
        tabs[next].focus();
        tabs[next].click();
      }
    });
    list.append(...tabs);
    group.prepend(list);
    groupsOfTabs.push({ labels: panels.map((panel) => panel.dataset.label), show, list });
    show(0);
  }

  // All sections show the same data set; what was pressed stays where it is on the screen.
  function showEverywhere(label) {
    const pressed = document.activeElement;
    const before = pressed?.getBoundingClientRect().top ?? 0;
    for (const { labels, show } of groupsOfTabs) {
      if (labels.includes(label)) {
        show(labels.indexOf(label));
      }
    }
    const after = pressed?.getBoundingClientRect().top ?? 0;
    scrollBy({ top: after - before, behavior: "instant" });
  }

  // Theme: as the system has it, until the button says otherwise.
  const theme = document.getElementById("theme");
  theme.hidden = false;
  const isDark = () =>
    (document.documentElement.dataset.theme ??
      (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const nameTheme = () => {
    theme.textContent = isDark() ? "Light" : "Dark";
  };
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  nameTheme();

  // The section that is being read is marked in the bar.
  const links = new Map([...document.querySelectorAll(".bar nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          for (const link of links.values()) {
            link.removeAttribute("aria-current");
          }
          const link = links.get(entry.target.id);
          link?.setAttribute("aria-current", "true");
          const nav = link?.parentElement;
          nav?.scrollTo({ left: link.offsetLeft - nav.offsetLeft - 40 });
        }
      }
    },
    { rootMargin: "-20% 0px -70% 0px" },
  );
  for (const section of document.querySelectorAll("section[id]")) {
    seen.observe(section);
  }

  // Provenance belongs on paper even where it is folded on the screen.
  addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details.printed")) {
      fold.open = true;
    }
  });
})();
