// @ts-check

/** @type {(name: string) => any} the page is ours: what has a role is there */
export const role = (name) => document.querySelector(`[data-role="${name}"]`);
