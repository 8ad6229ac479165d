import { isDeepStrictEqual } from 'node:util'
import type { SignatureData, SignatureOptions } from '@celery/protocol'

/** A signature with every key, as Celery writes it. */
export function signatureData(parts: { readonly task: string } & Partial<SignatureData>): SignatureData {
  return {
    task: parts.task,
    args: parts.args ?? [],
    kwargs: parts.kwargs ?? {},
    options: parts.options ?? {},
    subtask_type: parts.subtask_type ?? null,
    immutable: parts.immutable ?? false,
  }
}

/**
 * Adds to a signature what is given when it is called: arguments go in front, newer kwargs and options win, links are
 * added to those there are. An immutable one takes options only.
 */
export function mergeCall(
  data: SignatureData,
  call: Partial<Pick<SignatureData, 'args' | 'kwargs' | 'options'>>,
): SignatureData {
  const options = call.options === undefined ? data.options : mergeOptions(data.options, call.options)
  if (data.immutable) return { ...data, options }
  return {
    ...data,
    args: call.args === undefined ? data.args : [...call.args, ...data.args],
    kwargs: call.kwargs === undefined ? data.kwargs : { ...data.kwargs, ...call.kwargs },
    options,
  }
}

/** Newer options win; links are added. */
export function mergeOptions(options: SignatureOptions, newer: SignatureOptions): SignatureOptions {
  const links: { link?: readonly SignatureData[]; link_error?: readonly SignatureData[] } = {}
  if (newer.link !== undefined) links.link = addLinks(options.link, newer.link)
  if (newer.link_error !== undefined) links.link_error = addLinks(options.link_error, newer.link_error)
  return { ...options, ...newer, ...links }
}

/** Both lists in order, nothing twice. */
export function addLinks(
  links: readonly SignatureData[] | undefined,
  added: readonly SignatureData[],
): readonly SignatureData[] {
  const all = [...(links ?? [])]
  for (const link of added) {
    if (!all.some((present) => isDeepStrictEqual(present, link))) all.push(link)
  }
  return all
}
