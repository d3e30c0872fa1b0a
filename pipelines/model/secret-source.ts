/** The place on the operator's machine that a secret's value is read from. `raw`: all of its bytes, whatever they are. */
export type SecretSource = (
  { readonly env: string } | { readonly file: string } | { readonly command: readonly string[] }
) & { readonly raw?: boolean };
