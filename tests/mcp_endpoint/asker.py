"""A connector whose tools, prompt and resource ask, for the endpoint's tests and its processes'."""

from typing import Any

from pydantic import BaseModel, Field, SecretStr

from connectors.base import Connector, Context, Elicit, ElicitURL, Roots, Sample, prompt, resource, tool

NAME_FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
COLOUR_FORM = {"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}
QUESTION = {"messages": [{"role": "user", "content": {"type": "text", "text": "Capital?"}}], "maxTokens": 9}
# What the tools have done, by word: a test looks for its own.
done: list[str] = []


class Asker(Connector):
    slug = "asker"
    title = "Asker"
    description = "For tests: tools that ask the person."
    built_in = True

    class Credentials(BaseModel):
        user: str = Field("", description="Who signs in.")
        token: SecretStr = Field(description="The secret.")

    @tool(title="Greet", hint="R")
    async def asker_greet(self, ctx: Context, greeting: str = "Hello") -> str:
        """Greet whom the person names."""
        answer = await ctx.elicit("What is your name?", NAME_FORM, key="user_name")
        return f"{greeting}, {answer.content['name']}!" if answer.accepted else f"{answer.action}."

    @tool(title="Two steps", hint="R")
    async def asker_steps(self, ctx: Context) -> str:
        """Ask twice under one key, keeping something in between."""
        name = await ctx.elicit("What is your name?", NAME_FORM)
        kept = ctx.state
        raw = await ctx.ask({"answer": Elicit(f"{name.content['name']}, which colour?", COLOUR_FORM)},
                            state={"seen": name.content["name"]})  # fmt: skip
        return f"{name.content['name']} likes {raw['answer']['content']['colour']}; kept {kept or ctx.state}"

    @tool(title="Everything", hint="R")
    async def asker_everything(self, ctx: Context) -> dict[str, Any]:
        """Ask for all kinds at once."""
        return dict(
            await ctx.ask(
                {
                    "name": Elicit("What is your name?", NAME_FORM),
                    "page": ElicitURL("Look at this page.", "https://example.com/look", "look-1"),
                    "capital": Sample(QUESTION),
                    "roots": Roots(),
                }
            )
        )

    @tool(title="Sample", hint="R")
    async def asker_sample(self, ctx: Context) -> dict[str, Any]:
        """Have the client's model say something."""
        return (await ctx.ask({"capital": Sample(QUESTION)}))["capital"]

    @tool(title="Write", hint="W")
    async def asker_write(self, ctx: Context, word: str) -> str:
        """Ask, then write."""
        answer = await ctx.elicit("Really?", {"type": "object", "properties": {}})
        if not answer.accepted:
            return "left alone"
        done.append(word)
        return "written"

    @tool(title="Delete", hint="D", confirm=True, secret_arguments=("code",))
    async def asker_delete(self, ctx: Context, word: str, code: str = "") -> str:
        """Delete, once the person agreed."""
        done.append(word)
        return "deleted"

    @tool(title="Plain", hint="R")
    async def asker_plain(self, ctx: Context, word: str = "") -> str:
        """Ask nothing."""
        done.append(word)
        return "plain"

    @tool(title="Sign in", hint="R")
    async def asker_sign_in(self, ctx: Context) -> str:
        """Use the caller's own credential."""
        return f"signed in as {(await ctx.credential())['user']}"

    @tool(title="Endless", hint="R")
    async def asker_endless(self, ctx: Context) -> str:
        """Ask another question each time."""
        number = (ctx.state or 0) + 1
        await ctx.ask({"more": Elicit(f"Question {number}?", NAME_FORM)}, state=number)
        return "never"

    @resource("asker://note", title="Note", mime_type="text/plain")
    async def note(self, ctx: Context) -> str:
        """A note for whom the person names."""
        return f"For {(await ctx.elicit('For whom?', NAME_FORM)).content['name']}"

    @prompt("asker-letter", title="Letter")
    async def letter(self, ctx: Context, topic: str) -> str:
        """A letter to whom the person names."""
        return f"Write to {(await ctx.elicit('To whom?', NAME_FORM)).content['name']} about {topic}."
