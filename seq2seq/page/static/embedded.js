// Files that stand in the page itself, where it is a single file: `<script type="application/octet-stream" data-path="...">`.

/** The embedded file of a path as a Response, 404 where there is none. */
export function embedded(url) {
  const path = new URL(url, "http://page.invalid/").pathname.slice(1);
  const found = document.querySelector(`script[data-path="${CSS.escape(decodeURIComponent(path))}"]`);
  if (!found) return new Response(null, { status: 404 });
  const text = atob(found.textContent.trim());
  return new Response(Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
}
