package random

import (
	"strings"

	"groundwork.dev/standins/engine/internal/provider"
)

var (
	adverbs = strings.Fields(`actively barely boldly brightly briskly calmly clearly closely deeply duly eagerly early easily
		evenly fairly firmly freely fully gently gladly greatly happily highly humbly justly keenly kindly largely lightly
		likely loudly mainly mildly mostly nearly neatly newly nicely openly partly plainly promptly quickly quietly rarely
		readily really rightly safely sharply smoothly softly solely steadily strictly surely swiftly tightly truly warmly wholly widely wisely`)
	adjectives = strings.Fields(`able active alert amber awake azure bold brave bright brisk calm careful clean clear clever cosmic crisp
		curious daring decent deep eager early easy equal exact fair famous fast fine firm fit fleet fond free fresh gentle glad golden
		good grand great guided happy hardy hip humble ideal just keen kind large lasting light lively loyal lucky magnetic merry
		mighty modern neat nice noble open patient pleasant plucky polite proud pure quick quiet rapid rare ready real relaxed robust
		safe saving select sharp shining simple smart smooth social solid sound stable steady still strong sunny sure sweet
		tender tidy tough true trusty up upright valid vast vital vocal warm welcome well wise witty worthy`)
	animals = strings.Fields(`adder albacore alpaca antelope ape badger bass bat bear beagle bee bird bison boar bobcat buck bug bull
		bunny burro camel cat catfish chamois cheetah chigger chimp clam cobra cod collie condor cougar cow crab crane cricket crow
		deer dingo doe dog dolphin dove dragon drake duck eagle egret elf elk emu falcon fawn feline finch firefly fish flamingo fly fowl fox frog
		gecko ghoul gibbon glider gnu goat goblin goldfish goose gorilla grackle griffon grouse grub gull guppy hagfish halibut hamster hare hawk
		hen heron hippo hog honeybee hornet horse hound husky hyena ibex iguana impala insect jackal jackass jaguar javelin jay jennet kangaroo kid kit
		kite kitten kiwi koala koi krill lab lacewing ladybird lamb lamprey lark lemming lemur leopard liger lion lizard llama lobster locust
		louse lynx macaque macaw magpie mako malamute mallard mammal mammoth man mantis marlin marmoset marten martin mastiff
		mastodon meerkat midge mink minnow mite mole mollusk mongoose monitor monkey monster moose moray mosquito moth mouse mudfish mule mullet muskox
		muskrat narwhal newt octopus opossum orca oryx osprey ostrich owl ox oyster panda pangolin panther parrot peacock pegasus
		pelican penguin perch phoenix pig pigeon piranha polecat pony porpoise possum prawn primate pug puma pup python quagga quail quetzal rabbit raccoon ram raptor
		rat ray redbird robin rooster sailfish salmon satyr sawfish seagull seahorse seal seasnail serval shad shark sheep sheepdog shepherd shiner
		shrew shrimp silkworm skink skunk skylark sloth slug snail snake snapper snipe sole spaniel sparrow spider sponge squid squirrel stag
		stallion starfish starling stingray stinkbug stork stud sturgeon sunbeam sunbird sunfish swan swift tadpole tahr tapir tarpon teal termite terrapin
		terrier thrush tick tiger titmouse toad tomcat tortoise toucan treefrog troll trout tuna turkey turtle unicorn urchin vervet viper
		vulture wahoo wallaby walleye walrus warthog wasp weasel weevil whale whippet wildcat wolf wombat woodcock worm wren yak yeti zebra`)
)

func petResource() *provider.Resource {
	return &provider.Resource{
		Inputs: map[string]provider.Field{
			"length":    {Kind: provider.Integer, Replace: true, Computed: true},
			"separator": {Kind: provider.String, Replace: true, Computed: true},
			"prefix":    fixed(provider.Field{Kind: provider.String}),
			"keepers":   keepers,
		},
		Outputs: map[string]provider.Field{},
		Preview: func(c *provider.Call) provider.Props { return petDefaults(c.Inputs) },
		Create: func(c *provider.Call) (string, provider.Props, error) {
			outs := petDefaults(c.Inputs)
			all := provider.Props{}
			for k, v := range c.Inputs {
				all[k] = v
			}
			for k, v := range outs {
				all[k] = v
			}
			var in struct {
				Length            int
				Separator, Prefix string
			}
			if err := provider.Decode(all, &in); err != nil {
				return "", nil, err
			}
			name := pet(in.Length, in.Separator)
			if in.Prefix != "" {
				name = in.Prefix + in.Separator + name
			}
			return name, outs, nil
		},
	}
}

func petDefaults(in provider.Props) provider.Props {
	out := provider.PropsOf(map[string]any{"length": 2, "separator": "-"})
	for k := range out {
		if v, has := in[k]; has {
			out[k] = v
		}
	}
	return out
}

// pet makes a name of n words: an animal, before it an adjective, before that adverbs.
func pet(n int, separator string) string {
	words := make([]string, 0, n)
	pick := func(list []string) string { return list[below(int64(len(list)))] }
	for i := n; i > 2; i-- {
		words = append(words, pick(adverbs))
	}
	if n >= 2 {
		words = append(words, pick(adjectives))
	}
	return strings.Join(append(words, pick(animals)), separator)
}
