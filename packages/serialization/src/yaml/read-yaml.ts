import { DecodeError } from '../errors.ts'
import type { MemoryOptions } from '../memory-budget.ts'
import { plainTree } from '../plain-tree.ts'
import { weighYaml } from './weigh-yaml.ts'
import { parseYamlInteger, parseYamlTimestamp } from './yaml-scalars.ts'

const TYPE = 'application/x-yaml'

/** Far more than a message holds; it ends the expansion of aliases of aliases. */
const MAX_NODES = 1_000_000

type JsYaml = typeof import('js-yaml')

/** A reader of one document. Tags that are not of YAML itself are errors, as with PyYAML's safe loader. */
export function yamlReader(jsYaml: JsYaml, maxDepth: number, options?: MemoryOptions): (text: string) => unknown {
  const schema = pythonSchema(jsYaml)
  return (text) => {
    weighYaml(text, options)
    let value: unknown
    try {
      // The library counts scalars and pairs as levels too; plainTree is exact. Of equal keys the last counts.
      value = jsYaml.load(text, { schema, maxDepth: 2 * maxDepth + 2, json: true })
    } catch (cause) {
      // Its message quotes the source, which may be secret and long; the reason alone does not.
      const isYaml = cause instanceof jsYaml.YAMLException
      const reason = isYaml ? cause.reason : cause instanceof RangeError ? cause.message : 'the parser failed'
      throw new DecodeError(TYPE, reason.slice(0, 200), isYaml ? cause.mark?.position : undefined, { cause })
    }
    return plainTree(value, { contentType: TYPE, maxDepth, maxNodes: MAX_NODES + text.length })
  }
}

/** YAML 1.1 where the library's own version of it is another than PyYAML's, or loses digits. */
function pythonSchema(jsYaml: JsYaml): InstanceType<JsYaml['Schema']> {
  const { defineScalarTag } = jsYaml
  const NOT_RESOLVED: JsYaml['NOT_RESOLVED'] = jsYaml.NOT_RESOLVED
  return jsYaml.YAML11_SCHEMA.withTags(
    jsYaml.realMapTag,
    defineScalarTag<boolean>('tag:yaml.org,2002:bool', {
      implicit: true,
      implicitFirstChars: [...'yYnNtTfFoO'],
      // In PyYAML a plain y or n is text.
      resolve(source) {
        if (/^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/.test(source)) return true
        if (/^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/.test(source)) return false
        return NOT_RESOLVED
      },
      identify: () => false,
    }),
    defineScalarTag<number | bigint>('tag:yaml.org,2002:int', {
      implicit: true,
      implicitFirstChars: [...'-+0123456789'],
      resolve: (source) => parseYamlInteger(source) ?? NOT_RESOLVED,
      identify: () => false,
    }),
    defineScalarTag<object>('tag:yaml.org,2002:timestamp', {
      implicit: true,
      implicitFirstChars: [...'0123456789'],
      resolve: (source) => parseYamlTimestamp(source) ?? NOT_RESOLVED,
      identify: () => false,
    }),
  )
}
