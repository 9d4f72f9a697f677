// What the browser keeps of this page: nothing where the user has blocked site data, since asking for it fails there.

/** What `remember` was given under a name; null where nothing is kept. */
export function remembered(name, storage = 'localStorage') {
  try {
    return self[storage].getItem(name);
  } catch {
    return null;
  }
}

/** Keeps a text until the browser forgets this page, or its tab is closed (`'sessionStorage'`); says whether it could. */
export function remember(name, text, storage = 'localStorage') {
  try {
    self[storage].setItem(name, text);
    return true;
  } catch {
    return false;
  }
}
