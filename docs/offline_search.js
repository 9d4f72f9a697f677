// The search of a site that is opened from files, which browsers keep from starting a program of another file. There
// the program is loaded as a text, which build_site.py has written beside it.
'use strict';
if (location.protocol === 'file:') {
  const Plain = window.Worker;
  window.Worker = class {
    constructor(address) {
      this.waiting = [];
      const script = document.createElement('script');
      script.src = `${address}.text.js`;
      script.onload = () => {
        this.worker = new Plain(URL.createObjectURL(new Blob([window.workerText])));
        this.worker.onmessage = (event) => this.onmessage?.(event);
        for (const message of this.waiting) this.worker.postMessage(message);
      };
      document.head.append(script);
    }

    postMessage(message) {
      if (this.worker) this.worker.postMessage(message);
      else this.waiting.push(message);
    }

    terminate() {
      this.worker?.terminate();
    }
  };
}
