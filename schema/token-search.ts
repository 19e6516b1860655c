import { tokenMatches } from '../src/db/index.ts';
import { builder } from './builder.ts';
import { connection } from './connection.ts';
import { costs } from './cost.ts';
import { filterCost, orderedBy } from './filter.ts';
import {
  checkGrader,
  graderOfOrder,
  ProjectionFilter,
  ProjectionTokenOrder,
  soughtText,
  soughtTop,
  TokenMatchEnum,
} from './filters.ts';
import { searchCost } from './limits.ts';
import { ProjectionTokenConnection, ProjectionTokenRef } from './projection-token.ts';

builder.queryField('tokenSearch', (t) =>
  t.connection(
    {
      type: ProjectionTokenRef,
      ...costs({ weight: 1 + searchCost, ofArguments: ({ where }) => filterCost(where) }),
      description:
        'Where a text is among the strongest tokens, in projections of every organism: by text, the strongest first, unless told otherwise. totalCount stops at 10,000.',
      args: {
        text: t.arg.string({ required: true, description: `What is looked for, ${soughtText}.` }),
        match: t.arg({
          type: TokenMatchEnum,
          required: true,
          defaultValue: tokenMatches[0],
          description: 'How texts are compared.',
        }),
        top: t.arg.int({ required: true, defaultValue: 20, description: soughtTop }),
        where: t.arg({
          type: ProjectionFilter,
          description: 'Only tokens of projections that match. Null or absent: all.',
        }),
        orderBy: t.arg({
          type: [ProjectionTokenOrder],
          description: orderedBy('by text, the strongest first'),
        }),
        grader: t.arg.string(graderOfOrder),
      },
      resolve(_, { text, match, top, where, ...page }, context) {
        checkGrader(page);
        return connection(context, context.store.tokens.search, null, {
          ...page,
          where: { topTokens: { text, match, top }, projection: where },
        });
      },
    },
    ProjectionTokenConnection,
  ),
);
