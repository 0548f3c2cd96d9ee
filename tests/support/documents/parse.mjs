// Reads an AsyncAPI document with AsyncAPI's own parser; its errors end this with 1. `make check-documents` runs it.
import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';

const ERROR = 0;
const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], 'utf8'));
for (const { severity, path, message } of diagnostics) console.log(severity === ERROR ? 'error' : 'note', path.join('.'), message);
process.exitCode = document ? 0 : 1;
console.log(document ? `${process.argv[2]}: valid` : `${process.argv[2]}: refused`);
