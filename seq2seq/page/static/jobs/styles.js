// The style sheet of the service's views, asked for with the first of them: finished folders and files need none of it.

let loading = null;

/** Resolves when the style sheet applies, or cannot be had: the views can be read without it. */
export function styles() {
  loading ??= new Promise((resolve) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("../service.css", import.meta.url).href });
    link.onload = link.onerror = () => resolve();
    document.head.append(link);
  });
  return loading;
}
