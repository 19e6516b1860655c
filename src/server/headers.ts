const nothing = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** Of every answer: nothing that other sites could use, and no page may do anything. */
export const safeHeaders = Object.entries({
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Content-Security-Policy': nothing,
});

/** The explorer: its own files, and questions to us. */
export const explorerPolicy = `${nothing}; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'`;

/** GraphiQL is one page with its scripts, styles, fonts and worker sources inside; it may talk to us only. */
export const graphiqlPolicy = `${nothing}; script-src 'unsafe-inline' blob:; style-src 'unsafe-inline'; worker-src blob: data:; connect-src 'self'; img-src 'self' data:; font-src data:`;
