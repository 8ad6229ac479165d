/** Bodies of which each byte asks for as much as it can: memory and time of a decoder are those that it takes for these. */

/** Repeats a part, or parts of a number each, until there are `size` bytes. */
function filled(size: number, part: string | ((index: number) => string), separator: string = ''): string[] {
  const parts: string[] = []
  for (let length = 0; length < size; ) {
    const next = typeof part === 'string' ? part : part(parts.length)
    parts.push(next)
    length += next.length + separator.length
  }
  return parts
}

const list =
  (part: string | ((index: number) => string), first: string = '') =>
  (size: number) =>
    Buffer.from(`[${first}${filled(size, part, ',').join(',')}]`)

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

/** A list of such values. */
const packed = (part: string | ((index: number) => string)) => (size: number) => {
  const parts = filled(size, part)
  const head = Buffer.alloc(5, 0xdd)
  head.writeUInt32BE(parts.length, 1)
  return Buffer.concat([head, Buffer.from(parts.join(''), 'latin1')])
}

/** What is put on the stack first, then a list of such values. */
const pickled =
  (part: string, first: string = '') =>
  (size: number) =>
    Buffer.from(`${first}](${filled(size, part).join('')}e.`, 'latin1')

const name = (index: number): string => index.toString(36).padStart(4, '0')

const time = 'cdatetime\ndatetime\nq\x00C\x0a\x07\xe8\x01\x02\x03\x04\x05\x00\x00\x00q\x0100'

/** Makes a body of about so many bytes. */
export type Body = (size: number) => Uint8Array

/** By format and by what they are. */
export const denseBodies: Readonly<Record<string, Readonly<Record<string, Body>>>> = {
  json: {
    'empty lists': list('[]'),
    'empty objects': list('{}'),
    'lists in lists': list(nested(98)),
    'objects in objects': list(`${'{"a":'.repeat(98)}0${'}'.repeat(98)}`),
    numbers: list('0'),
    'numbers beyond 2^53': list('9'.repeat(17)),
    texts: list((index) => `"${name(index)}"`),
    'names of their own': list((index) => `{"${name(index)}":0}`),
    'one object of many names': (size) => Buffer.from(`{${filled(size, (at) => `"${name(at)}":0`, ',').join(',')}}`),
    'names that are numbers': list('{"1000":0}'),
    'names that are numbers, beside NaN': list('{"1000":0}', 'NaN,'),
    'short lists beside NaN': list('[0]', 'NaN,'),
    'empty objects beside NaN': list('{}', 'NaN,'),
    'names of their own beside NaN': list((index) => `{"${name(index)}":0}`, 'NaN,'),
    times: list('{"__type__":"datetime","__value__":"2020-01-01T00:00:00"}'),
    'no bytes': list('{"__type__":"base64","__value__":""}'),
  },
  yaml: {
    'empty lists': list('[]'),
    'empty mappings': list('{}'),
    'lists in lists': list(nested(90)),
    'lists in lists, a line each': (size) => Buffer.from(filled(size, `${'- '.repeat(90)}\n`).join('')),
    'a mapping each': list('{a}'),
    'a mapping each, without braces': list('a:'),
    'names that are numbers': list('{"1000":0}'),
    'one mapping of many names': (size) => Buffer.from(filled(size, (at) => `${name(at)}:\n`).join('')),
    'a text of escapes': (size) => Buffer.from(`"${filled(size, '\\n').join('')}"`),
    'a text of quotes': (size) => Buffer.from(`'${filled(size, "''").join('')}'`),
    'a text of lines': (size) => Buffer.from(`|\n${filled(size, ' a\n').join('')}`),
    days: list('2020-01-01'),
    'no bytes': list('!!binary ""'),
    'ordered mappings': list('!!omap []'),
    'the same list': list('*a', '&a [],'),
  },
  msgpack: {
    'empty lists': packed('\x90'),
    'empty maps': packed('\x80'),
    'short lists': packed('\x91\x00'),
    'lists in lists': packed(`${'\x91'.repeat(98)}\x00`),
    'names of their own': packed((index) => `\x81\xa4${name(index)}\x00`),
    'names that are numbers': packed('\x81\xa41000\x00'),
    'no bytes': packed('\xc4\x00'),
    'short texts': packed((index) => `\xa4${name(index)}`),
    numbers: packed('\x00'),
    fractions: packed('\xca\x3f\xc0\x00\x00'),
    'lengths of lists that lie in each other': (size) => {
      const head = Buffer.alloc(5, 0xdd)
      head.writeUInt32BE(size, 1)
      return Buffer.concat([...Array.from({ length: 98 }, () => head), Buffer.alloc(size + 1)])
    },
  },
  pickle: {
    'empty lists': pickled(']'),
    'empty dicts': pickled('}'),
    'empty sets': pickled('\x8f'),
    'short tuples': pickled('N\x85'),
    'short lists': pickled(']Na'),
    'tuples in tuples': pickled(`N${'\x85'.repeat(98)}`),
    'the same dict': pickled('2', '](}'),
    'names that are numbers': pickled('}U\x041000Ns'),
    'no bytes': pickled('C\x00'),
    'a value remembered again and again': (size) => Buffer.from(`N${filled(size, '\x94').join('')}.`, 'latin1'),
    times: pickled('h\x00h\x01\x85R', time),
  },
}

/** Pickles that have a large value copied again and again. */
export const copyingPickles: Readonly<Record<string, Body>> = {
  'copies of a set': (size) =>
    Buffer.from(
      `c__builtin__\nset\nq\x00](${filled(size / 2, 'NK\x01').join('')}e\x85q\x0100](${filled(size / 2, 'h\x00h\x01R').join('')}e.`,
      'latin1',
    ),
  'copies of a text': (size) =>
    Buffer.from(
      `c_codecs\nencode\nq\x00(V${'a'.repeat(size / 2)}\nVlatin1\ntq\x0100](${filled(size / 2, 'h\x00h\x01R').join('')}e.`,
      'latin1',
    ),
}
