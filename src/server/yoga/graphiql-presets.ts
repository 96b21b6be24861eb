import type { SavedTab } from './graphiql-client.ts';

// Lines of at most 52 columns are readable in a window of 1360 pixels.

const start = `# Welcome. Paste the API key that the server printed
# into the field at the top right, then run the tabs
# from left to right.
# Without a provider, a built-in demo answers.

query Start {
  viewer {
    kind
    scopes
    workspace {
      name
    }
  }
  models {
    id
    supportsTools
  }
  assistants(first: 5) {
    nodes {
      id
      name
      model
    }
  }
}
`;

const createAssistant = `# Creates an assistant: a name, instructions and a
# model that runs can use. To use it in the next
# tab, add assistantId to the input there.
mutation CreateAssistant {
  createAssistant(
    input: {
      name: "Guide"
      instructions: "Be brief."
    }
  ) {
    __typename
    ... on CreateAssistantPayload {
      assistant {
        id
        name
        model
      }
    }
    ... on Error {
      code
      message
    }
  }
}
`;

const createRun = `# Creates a thread with one message, and a run that
# answers it. Copy the id of the run to the next
# tab, which streams the answer.
mutation Run {
  createRun(
    input: {
      thread: {
        title: "First steps"
        messages: [
          { text: "Hello! What can you do?" }
        ]
      }
    }
  ) {
    __typename
    ... on CreateRunPayload {
      run {
        id
        status
        model
      }
      thread {
        id
      }
    }
    ... on Error {
      code
      message
    }
  }
}
`;

const follow = `# Streams the events of a run. Paste the id of the
# run into the Variables pane: { "runId": "run_…" }
# The stream starts at the first event, however late
# you connect. To resume, pass the last cursor that
# you received as "after".
subscription Follow($runId: ID!, $after: String) {
  runEvents(runId: $runId, after: $after) {
    __typename
    ... on Event {
      cursor
    }
    ... on RunStatusChanged {
      status
      run {
        messages {
          nodes {
            text
          }
        }
      }
    }
    ... on ReasoningDelta {
      text
    }
    ... on StepDelta {
      toolCall {
        kind
        arguments
        output
      }
    }
    ... on MessageDelta {
      text
    }
  }
}
`;

const python = `# Run a tool: first the mutation, then the query.
# The model writes a Python program, which the
# server runs in a sandbox. (The demo model uses a
# prepared program.)
mutation Python {
  createRun(
    input: {
      tools: [{ codeInterpreter: {} }]
      thread: {
        title: "Primes"
        messages: [
          { text: "Find some primes with Python." }
        ]
      }
    }
  ) {
    __typename
    ... on CreateRunPayload {
      run {
        id
      }
    }
    ... on Error {
      code
      message
    }
  }
}

# Waits for the end of the run. Paste its id into
# the Variables pane: { "runId": "run_…" }
# Open the url of the file to download it; the url
# expires after 15 to 30 minutes.
query Result($runId: ID!) {
  waitForRun(id: $runId) {
    ... on Run {
      status
      steps {
        nodes {
          toolCalls {
            ... on CodeInterpreterToolCall {
              code
              logs
              files {
                name
                url
              }
            }
          }
        }
      }
      messages {
        nodes {
          text
        }
      }
    }
  }
}
`;

const browse = `# Reads threads with their last message, runs,
# usage and steps in one query.
query Browse {
  threads(first: 5) {
    totalCount
    nodes {
      id
      title
      lastMessage {
        role
        text
      }
      runs(first: 3) {
        nodes {
          id
          status
          usage {
            totalTokens
          }
          cost
          steps {
            nodes {
              type
              status
              durationMs
            }
          }
        }
      }
    }
  }
}
`;

const preset = (title: string, query: string, variables: object | null = null): SavedTab => ({
  id: title,
  title,
  query,
  variables: variables && JSON.stringify(variables, null, 2),
  headers: null,
  operationName: title,
  response: null,
});

/** The tabs of the GraphiQL page on the first visit. */
export const presets: readonly SavedTab[] = [
  preset('Start', start),
  preset('CreateAssistant', createAssistant),
  preset('Run', createRun),
  preset('Follow', follow, { runId: '' }),
  preset('Python', python, { runId: '' }),
  preset('Browse', browse),
];
