"""The suite's tools and prompts that ask the client: elicitation, sampling, roots, in both eras.

In 2026-07-28 each is run again from its start once the answers came, so each reads as if it
had waited for them.
"""

import json
from typing import Any

from connectors.asking import Answer, Ask, Elicit, Roots, Sample
from connectors.base import Context, prompt, tool
from tests.conformance.contents import Contents

DEFAULTS = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "User name", "default": "John Doe"},
        "age": {"type": "integer", "description": "User age", "default": 30},
        "score": {"type": "number", "description": "User score", "default": 95.5},
        "status": {
            "type": "string",
            "description": "User status",
            "enum": ["active", "inactive", "pending"],
            "default": "active",
        },
        "verified": {"type": "boolean", "description": "Verification status", "default": True},
    },
    "required": [],
}
PRIORITIES = {"low": "Low Priority", "medium": "Medium Priority", "high": "High Priority"}
KINDS = {"feature": "New Feature", "bug": "Bug Fix", "docs": "Documentation"}
ENUMS = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": ["active", "inactive", "pending"]},
        "titledSingle": {
            "type": "string",
            "oneOf": [{"const": value, "title": title} for value, title in PRIORITIES.items()],
        },
        "untitledMulti": {
            "type": "array",
            "items": {"type": "string", "enum": ["read", "write", "execute"]},
        },
        "titledMulti": {
            "type": "array",
            "items": {"anyOf": [{"const": value, "title": title} for value, title in KINDS.items()]},
        },
        "legacyEnum": {
            "type": "string",
            "enum": ["small", "medium", "large"],
            "enumNames": ["Small Size", "Medium Size", "Large Size"],
        },
    },
    "required": [],
}


def form(**properties: str) -> dict[str, Any]:
    """The schema of a form whose fields are all required, by name and type."""
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
        "required": list(properties),
    }


def name_form(message: str = "What is your name?") -> Elicit:
    """The question for a name."""
    return Elicit(message, form(name="string"))


def sample(text: str, tokens: int = 100) -> Sample:
    """The question to the client's model."""
    messages = [{"role": "user", "content": {"type": "text", "text": text}}]
    return Sample({"messages": messages, "maxTokens": tokens})


class Questions(Contents):
    """Tools and a prompt that ask."""

    @tool(title="Elicitation", hint="R")
    async def test_elicitation(self, ctx: Context, message: str) -> str:
        """Asks the user with the given message."""
        return _told("User response", await ctx.elicit(message, form(response="string")))

    @tool(title="Elicitation with defaults", hint="R")
    async def test_elicitation_sep1034_defaults(self, ctx: Context) -> str:
        """Asks with a default for each primitive type."""
        return _told("Elicitation result", await ctx.elicit("Please provide user information", DEFAULTS))

    @tool(title="Elicitation with choices", hint="R")
    async def test_elicitation_sep1330_enums(self, ctx: Context) -> str:
        """Asks with every kind of choice."""
        message = "Please select values using different enum schema types"
        return _told("Elicitation completed", await ctx.elicit(message, ENUMS))

    @tool(title="Elicitation on a stream", hint="R")
    async def test_streaming_elicitation(self, ctx: Context) -> str:
        """Asks the user for a name; the answer's stream never carries a request."""
        await ctx.progress(1, 2, "asking")
        return _told("User response", await ctx.elicit("What is your name?", form(name="string")))

    @tool(title="Sampling", hint="R")
    async def test_sampling(self, ctx: Context, prompt: str) -> str:
        """Asks the client's model."""
        answer = await ctx.ask({"sample": sample(prompt)})
        return f"LLM response: {_text_of(answer['sample'])}"

    @tool(title="Missing capability", hint="R")
    async def test_missing_capability(self, ctx: Context) -> str:
        """Cannot do without sampling."""
        await ctx.ask({"sample": sample("Say hello")})
        return "Client declared sampling capability; proceeding."

    @tool(title="Asks for a name", hint="R")
    async def test_input_required_result_elicitation(self, ctx: Context) -> str:
        """Asks for a name and greets."""
        answers = await ctx.ask({"user_name": name_form()})
        return f"Hello, {_content(answers, 'user_name').get('name', 'stranger')}!"

    @tool(title="Asks the model", hint="R")
    async def test_input_required_result_sampling(self, ctx: Context) -> str:
        """Asks the client's model for a capital."""
        answers = await ctx.ask({"capital_question": sample("What is the capital of France?")})
        return f"Model said: {_text_of(answers['capital_question'])}"

    @tool(title="Asks for roots", hint="R")
    async def test_input_required_result_list_roots(self, ctx: Context) -> str:
        """Asks which folders the user opened."""
        answers = await ctx.ask({"client_roots": Roots()})
        return f"Client exposed {len(answers['client_roots'].get('roots', []))} root(s)."

    @tool(title="Keeps a state", hint="R")
    async def test_input_required_result_request_state(self, ctx: Context) -> str:
        """Finds its state again after the answer."""
        confirm = Elicit("Please confirm", form(ok="boolean"))
        await ctx.ask({"confirm": confirm}, state="request-state-nonce")
        return "state-ok: confirmation received" if ctx.state == "request-state-nonce" else "state lost"

    @tool(title="Asks three things", hint="R")
    async def test_input_required_result_multiple_inputs(self, ctx: Context) -> str:
        """Asks the user, the model and for the roots at once."""
        answers = await ctx.ask(
            {
                "user_name": name_form(),
                "greeting": sample("Generate a greeting", 50),
                "client_roots": Roots(),
            }
        )
        return "All inputs received." if len(answers) == 3 else f"Only {sorted(answers)} received."

    @tool(title="Asks twice", hint="R")
    async def test_input_required_result_multi_round(self, ctx: Context) -> str:
        """Asks for a name, then for a color."""
        first = await ctx.ask({"step1": name_form("Step 1: What is your name?")})
        question = Elicit("Step 2: What is your favorite color?", form(color="string"))
        second = await ctx.ask({"step2": question})
        return f"{_content(first, 'step1').get('name')} likes {_content(second, 'step2').get('color')}."

    @tool(title="Guards its state", hint="R")
    async def test_input_required_result_tampered_state(self, ctx: Context) -> str:
        """Keeps a state that nobody may change."""
        await ctx.ask({"confirm": Elicit("Please confirm", form(ok="boolean"))}, state="round-1")
        return f"state-ok: {ctx.state}"

    @tool(title="Asks what it may", hint="R")
    async def test_input_required_result_capabilities(self, ctx: Context) -> str:
        """Asks only for what the client declared."""
        questions: dict[str, Ask] = {"sample": sample("Say hello", 50), "ask": name_form()}
        return f"Answered: {', '.join(sorted(await ctx.ask(questions)))}."

    @prompt("test_input_required_result_prompt", title="Asks for context")
    async def asking_prompt(self, ctx: Context) -> str:
        """A prompt that asks for its context."""
        question = Elicit("What context should the prompt use?", form(context="string"))
        answers = await ctx.ask({"user_context": question})
        return f"Use the following context: {_content(answers, 'user_context').get('context', '?')}"


def _told(what: str, answer: Answer) -> str:
    return f"{what}: action={answer.action}, content={json.dumps(answer.content)}"


def _content(answers: dict[str, dict[str, Any]], key: str) -> dict[str, Any]:
    return Answer.of(answers[key]).content


def _text_of(result: dict[str, Any]) -> str:
    content = result.get("content")
    return str(content.get("text", "No response")) if isinstance(content, dict) else "No response"
