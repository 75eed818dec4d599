// Files that stand in the page itself, where it is a single file: `<script type="application/octet-stream" data-path="...">`.

let known = null;

/** The elements by path, looked up once: there are hundreds. */
function elements() {
  known ??= new Map([...document.querySelectorAll("script[data-path]")].map((element) => [element.dataset.path, element]));
  return known;
}

/** The embedded file of a path as a Response, 404 where there is none. */
export function embedded(url) {
  const path = decodeURIComponent(new URL(url, "http://page.invalid/").pathname.slice(1));
  const found = elements().get(path);
  if (!found) return new Response(null, { status: 404 });
  const text = atob(found.textContent.trim());
  return new Response(Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
}
