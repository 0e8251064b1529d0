// Shows why the page does not start, instead of an empty window. It is not a module and contains its own texts, since
// modules and texts may be the missing files; a page without a server has it inside index.html.

(() => {
  const WORDS = {
    en: {
      disk: "A browser does not run this page straight from a disk. Open a terminal in its folder, run “python -m http.server”, and go to http://localhost:8000.",
      type: "The web server sends {name} as “{type}”. A browser runs a script only as “text/javascript”: the server's settings have to be changed.",
      file: "{name} did not load ({why}). Reload the page. If that does not help, the app was closed, or some of the page's files are missing.",
    },
    de: {
      disk: "Direkt von der Festplatte führt ein Browser diese Seite nicht aus. Öffne im Ordner der Seite ein Terminal, gib „python -m http.server“ ein und gehe zu http://localhost:8000.",
      type: "Der Webserver sendet {name} als „{type}“. Ein Browser führt ein Skript nur als „text/javascript“ aus: Die Einstellungen des Servers müssen geändert werden.",
      file: "{name} kam nicht an ({why}). Lade die Seite neu. Wenn das nicht hilft, wurde Inkling geschlossen, oder es fehlen Dateien der Seite.",
    },
    es: {
      disk: "Un navegador no ejecuta esta página directamente desde un disco. Abre un terminal en su carpeta, escribe «python -m http.server» y ve a http://localhost:8000.",
      type: "El servidor web envía {name} como «{type}». Un navegador ejecuta un script solo como «text/javascript»: hay que cambiar los ajustes del servidor.",
      file: "{name} no se cargó ({why}). Vuelve a cargar la página. Si no sirve, Inkling se cerró o faltan archivos de la página.",
    },
  };
  const wanted = navigator.language.slice(0, 2),
    code = wanted in WORDS ? wanted : "en";

  function say(name, values = {}) {
    const note = document.createElement("p");
    note.setAttribute("role", "alert");
    note.className = "trouble";
    note.lang = code;
    note.textContent = WORDS[code][name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
    const show = () => document.querySelector(".trouble") ?? document.body.prepend(note);
    if (document.body) show();
    else addEventListener("DOMContentLoaded", show);
  }

  async function sayWhy(address) {
    if (location.protocol === "file:") return say("disk");
    const name = new URL(address).pathname.split("/").pop();
    const response = await fetch(address).catch(() => null);
    const type = response?.headers.get("content-type")?.split(";")[0] ?? "";
    if (response?.ok && !/javascript$/.test(type)) return say("type", { name, type: type || "?" });
    return say("file", { name, why: response && !response.ok ? response.status : "…" });
  }

  const hear = ({ target }) => target instanceof HTMLScriptElement && sayWhy(target.src);
  addEventListener("error", hear, true);
  globalThis.inklingStartFailed = say;
})();
