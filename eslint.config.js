import js from '@eslint/js';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['dist/', 'build/', 'node_modules/', 'organisms/', 'test/fixtures/'] },
  js.configs.recommended,
  ...ts.configs.strict,
  {
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      eqeqeq: 'error',
      'no-console': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { varsIgnorePattern: '^_+$', argsIgnorePattern: '^_+$' },
      ],
    },
  },
  {
    files: ['explorer/**'],
    languageOptions: {
      globals: Object.fromEntries(
        ['document', 'fetch', 'HTMLElement', 'location', 'Node', 'window'].map((name) => [name, 'readonly']),
      ),
    },
  },
  // A test that dereferences nothing fails, which is what it is for.
  { files: ['test/**'], rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
);
