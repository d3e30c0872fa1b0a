/** Returns a text that means nothing to Markdown (CommonMark) or HTML, and calls nobody by name. */
export function escapedMarkdown(text: string): string {
  return text
    .replaceAll(/[\\`*_[\]#|~]/g, String.raw`\$&`)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('@', '&#64;');
}
