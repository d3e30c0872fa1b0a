/** Version of Lockage itself. */
export const version = '0.1.0';
