import { depthLimit } from '../json/json-options.ts'
import type { MemoryOptions } from '../memory-budget.ts'
import type { LazySerializer } from '../serializer.ts'

export interface YamlOptions extends MemoryOptions {
  /** Sequences and mappings inside each other, at most; at most 1,000. @defaultValue `100` */
  readonly maxDepth?: number
}

/** YAML 1.1 as PyYAML's safe loader and dumper speak it. Needs the package js-yaml, when it is loaded. */
export function yamlSerializer(options?: YamlOptions): LazySerializer {
  const maxDepth = depthLimit(options)
  const contentType = 'application/x-yaml'
  return {
    contentType,
    packageName: 'js-yaml',
    async load() {
      const [yaml, { yamlReader }, { writeYaml }] = await Promise.all([
        import('js-yaml'),
        import('./read-yaml.ts'),
        import('./write-yaml.ts'),
      ])
      const read = yamlReader(yaml, maxDepth, options)
      return { contentType, contentEncoding: 'utf-8', encode: (value) => writeYaml(value, maxDepth), decode: read }
    },
  }
}
