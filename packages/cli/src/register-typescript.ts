/** Imported for its effect: makes `import` and `require` of this thread understand TypeScript. Threads, too, need it by `--import`. */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { register as registerCommonJs } from 'tsx/cjs/api'
import { register } from 'tsx/esm/api'

const { extensions } = createRequire(import.meta.url)
const besideUs = fileURLToPath(new URL('../../', import.meta.url))
const byNode = extensions['.js']

registerCommonJs()
register()

// A CommonJS module that requires `celery` gets the one that runs the worker. Of tsx it would get a copy made of its own, with
// other classes of errors and other current tasks.
const byTsx = extensions['.js']
extensions['.js'] = (module, file) => (isOurs(file) ? byNode : byTsx)?.(module, file)

function isOurs(file: string): boolean {
  return file.startsWith(besideUs) || /[\\/]node_modules[\\/]@?celery[\\/]/.test(file)
}
