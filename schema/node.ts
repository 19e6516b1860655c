import { encodeGlobalID, resolveNodes } from '@pothos/plugin-relay';
import { isObjectType, type GraphQLResolveInfo } from 'graphql';
import { builder, type GraphContext } from './builder.ts';
import { costs } from './cost.ts';
import { badUserInput } from './errors.ts';
import { maxPageSize } from './limits.ts';
import { spend } from './spend.ts';

/** Type and key in an id, or null for text that is no id of a node type here. */
function parseId(id: string, info: GraphQLResolveInfo): { typename: string; id: string } | null {
  const text = Buffer.from(id, 'base64').toString();
  const split = text.indexOf(':');
  const [typename, key] = [text.slice(0, split), text.slice(split + 1)];
  const type = info.schema.getType(typename);
  const isNode = isObjectType(type) && type.getInterfaces().some(({ name }) => name === 'Node');
  return isNode && encodeGlobalID(typename, key) === id ? { typename, id: key } : null;
}

/** In the order of ids. Null for what does not exist, whatever the reason; a failing store still fails. */
const load = async (ids: readonly string[], context: GraphContext, info: GraphQLResolveInfo) =>
  Promise.all(
    await resolveNodes(
      builder,
      context,
      info,
      ids.map((id) => parseId(id, info)),
    ),
  );

builder.queryFields((t) => ({
  node: t.field({
    type: builder.nodeInterfaceRef(),
    nullable: true,
    description: 'The node with this id; null when there is none, or the text is no id.',
    args: { id: t.arg.id({ required: true, description: 'The id of any node.' }) },
    resolve: async (_, { id }, context, info) => (await load([id], context, info))[0] ?? null,
  }),
  nodes: t.field({
    type: [builder.nodeInterfaceRef()],
    ...costs({ slicingArguments: ['ids'] }),
    nullable: { list: false, items: true },
    description:
      'The nodes with these ids, in the order asked; null in the place of each that does not exist.',
    args: {
      ids: t.arg.idList({
        required: true,
        description: `Ids of any nodes, at most ${maxPageSize}, else an error.`,
      }),
    },
    resolve: (_, { ids }, context, info) => {
      if (ids.length > maxPageSize)
        throw badUserInput(`ids must be at most ${maxPageSize}, not ${ids.length}.`);
      spend(context, ids.length);
      return load(ids, context, info);
    },
  }),
}));
