/** What a value begins with that is no text: no text has this character, as none is accepted with it. */
const mark = '\0base64:';

/** Returns bytes as a value among others, which are text: as they are where they are text, and not empty. */
export function valueOf(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  const isText = text !== '' && !text.includes('\0') && Buffer.from(text).equals(bytes);
  return isText ? text : `${mark}${bytes.toString('base64')}`;
}

/** Returns the bytes that a value stands for, as a container gets them. */
export function bytesOf(value: string): Buffer {
  return value.startsWith(mark) ? Buffer.from(value.slice(mark.length), 'base64') : Buffer.from(value);
}
