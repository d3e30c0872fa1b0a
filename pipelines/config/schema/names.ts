/** Names of applications, environments, hosts, roles, accessories and volumes: one DNS label, short enough to be joined. */
export const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

export const nameRule = 'lower-case letters, digits and inner hyphens, at most 40 characters';
