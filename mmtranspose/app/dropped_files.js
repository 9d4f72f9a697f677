// A file that is dropped anywhere on the page is uploaded. Elsewhere than over the field the browser would leave the page.
'use strict';
(() => {
  const find = (selector) => document.querySelector(selector);
  const carriesFiles = (event) => event.dataTransfer?.types.includes('Files');
  const overField = (event) => find('#upload')?.contains(event.target); // gradio takes these itself

  document.addEventListener('dragover', (event) => {
    if (carriesFiles(event)) event.preventDefault();
  });
  document.addEventListener('drop', (event) => {
    if (!carriesFiles(event) || overField(event)) return;
    event.preventDefault();
    const [field, file] = [find('#upload input[type=file]'), event.dataTransfer.files[0]];
    if (!field || !file) return;
    const one = new DataTransfer();
    one.items.add(file);
    field.files = one.files;
    field.dispatchEvent(new Event('change', { bubbles: true }));
  });
})();
