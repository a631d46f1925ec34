export function report(figures) { console.log(JSON.stringify(figures)); }
