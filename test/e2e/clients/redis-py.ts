import { fileURLToPath } from 'node:url';

export const REDIS_PY = fileURLToPath(new URL('redis_py.py', import.meta.url));
