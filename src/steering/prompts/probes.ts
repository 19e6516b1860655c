/** What the search for the strongest coherent steering is made with: a story, everyday advice, and a subject of the model’s own. */
export const probes: readonly string[] = [
  'Please tell me a short story about two friends.',
  'What are pleasant things to do on a free Sunday?',
  'Choose a subject you would like to talk about and begin.',
];
