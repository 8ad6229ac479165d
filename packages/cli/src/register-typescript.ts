/** Imported for its effect: makes `import` and `require` of this thread understand TypeScript. Threads, too, need it by `--import`. */
import { register as registerCommonJs } from 'tsx/cjs/api'
import { register } from 'tsx/esm/api'

registerCommonJs()
register()
